from datetime import timedelta

import pytest

from reviewsvc.db.hot.connection import connect
from reviewsvc.outside.bucket import Bucket
from reviewsvc.outside.folder import Folder
from reviewsvc.usecases.publishing import PublishError, publish
from tests.fixtures.buckets import bucket_server
from tests.fixtures.installed import AT
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real


def test_a_bucket_has_the_same_files_as_a_folder_and_gets_only_what_is_new(
    signed: SealedBank,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    signed.seal()
    folder = tmp_path_factory.mktemp("published")
    with bucket_server(monkeypatch) as buckets, connect(database_url, "read") as conn:
        place = Bucket("s3://plain/house")
        first = publish(conn, place)
        assert first == publish(conn, Folder(folder))
        again = publish(conn, place)
        assert (again.entries, again.files) == (0, 1)
        signed.bank.house.add_person("somebody")
        signed.seal(AT + timedelta(seconds=1))
        assert 0 < publish(conn, place).entries < first.entries
        publish(conn, Folder(folder))
        listed = buckets.client.list_objects_v2(Bucket="plain", Prefix="house/")["Contents"]
        stored = {each["Key"].removeprefix("house/"): each["Key"] for each in listed}
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        assert stored.keys() == files.keys()
        for name, key in stored.items():
            found = buckets.client.get_object(Bucket="plain", Key=key)
            assert found["Body"].read() == files[name].read_bytes()
            is_tile = "/tile/" in name
            assert found["ContentType"] == (
                "application/octet-stream" if is_tile else "text/plain; charset=utf-8"
            )
            assert ("immutable" in found["CacheControl"]) == is_tile
        place.write("logs/root/0/checkpoint", b"nonsense\n")
        with pytest.raises(PublishError, match="damaged"):
            publish(conn, place)
