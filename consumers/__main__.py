"""`python -m consumers capture|relay`: the consumers without the command line."""

import sys
from importlib import import_module
from typing import Final

from reviewsvc import config, telemetry

PROCESSES: Final = ("capture", "relay")
NEEDED: Final = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "REVIEWSVC_KEK_FILE")


def run(name: str) -> None:
    """Run the consumer of this name until it is told to stop."""
    settings = config.load(*NEEDED)
    telemetry.configure(process=name, level=settings.log_level)
    import_module(f"consumers.{name}").main(settings)


def main() -> None:
    """Run the consumer that the only argument names."""
    if sys.argv[1:] not in [[name] for name in PROCESSES]:
        sys.exit(f"Usage: python -m consumers {'|'.join(PROCESSES)}")
    try:
        run(sys.argv[1])
    except config.ConfigError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
