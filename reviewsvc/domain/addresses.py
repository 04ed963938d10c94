"""Addresses of clients, as far as they tell one from another."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_SITE_BITS: Final = 64


def network_of(address: str) -> str:
    """Return what is one client: an IPv4 address; of IPv6 its /64, which one site has to itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped or ip_network((parsed, _SITE_BITS), strict=False))
    return str(parsed)
