"""The s3 module against a real service: all operations, wrong keys, and a network that fails.

SPDX-License-Identifier: Apache-2.0
"""
import re

import pytest
from s3_service import (
    BUCKET,
    BUSY,
    SECRET_KEY,
    Fault,
    FaultyProxy,
    S3Service,
    S3Tool,
    fetch_url,
    find_tool,
)

MIB = 1 << 20
KEYS = ["a b+c", "plus+%2B", "sub/dir/x.txt", "umläut/ß", "quote'\"&<>", "=?#;:@!$*()", "日本"]


def pattern(size):
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


@pytest.fixture(scope="module")
def program(binary):
    found = find_tool(binary)
    if not found:
        pytest.skip("s3_tool is not built")
    return found


@pytest.fixture(scope="module")
def service(client_program, tmp_path_factory):
    own = S3Service(client_program("versitygw", "the S3 server"), tmp_path_factory.mktemp("s3"))
    yield own
    own.stop()


@pytest.fixture
def proxy(service):
    own = FaultyProxy(service.port)
    yield own
    own.close()


@pytest.fixture
def tool(program, service):
    return S3Tool(program, service.url)


@pytest.fixture
def faulty(program, proxy):
    return S3Tool(program, proxy.url)


def test_objects_come_back_as_they_were_put(tool, service, tmp_path):
    tool("check")
    for key in KEYS:
        content = key.encode() * 3
        tool.put(key, content, tmp_path)
        assert service.file(key).read_bytes() == content
        assert tool("get", key) == content
        name, size, modified, etag = tool("find", key).decode().rstrip("\n").split("\t")
        assert (name, int(size)) == (key, len(content)) and int(modified) > 0 and etag.startswith('"')
    assert tool.keys() == sorted(KEYS)
    assert tool.keys("", 2) == sorted(KEYS), "in pages of two"
    assert tool.keys("sub/") == ["sub/dir/x.txt"]
    for key in KEYS:
        tool("delete", key)
        tool("delete", key)
    assert tool.keys() == []


def test_an_object_may_be_empty(tool, tmp_path):
    tool.put("empty", b"", tmp_path)
    assert tool("get", "empty") == b""
    tool("delete", "empty")


def test_ranges(tool, tmp_path):
    tool.put("range", b"0123456789", tmp_path)
    assert tool("get", "range", 3, 4) == b"3456"
    assert tool("get", "range", 3, 0) == b"3456789"
    assert tool("get", "range", 8, 100) == b"89"
    tool("get", "range", 10, 1, expect=1)
    assert tool.error.startswith("OUT_OF_RANGE: S3 cannot get 'range'")
    tool("delete", "range")


def test_an_object_is_not_replaced_where_it_must_be_new(tool, tmp_path):
    tool.put("new", b"1", tmp_path, "new")
    tool.put("new", b"2", tmp_path, "new", expect=1)
    assert tool.error.startswith("FAILED_PRECONDITION") and "PreconditionFailed" in tool.error
    assert tool("get", "new") == b"1"
    tool("delete", "new")


def test_a_large_object_goes_in_parts(tool, service):
    content = pattern(31 * MIB + 7)
    parts = tool.with_variables(S3_PART_BYTES=str(5 * MIB))
    etag = parts.put_parts("large", content).decode().rstrip().split("\t")[3]
    assert etag.endswith('-7"')
    assert service.file("large").read_bytes() == content
    assert tool("get", "large") == content
    assert tool("get", "large", 30 * MIB, 0) == content[30 * MIB:]
    tool("delete", "large")
    assert service.unfinished_uploads() == []


def test_errors_name_what_was_wrong(tool, service):
    where = f"the bucket '{BUCKET}' at {service.url}"
    for variables, arguments, status, words in (
            ({}, ("get", "nothing"), "NOT_FOUND", f"S3 cannot get 'nothing' in {where}: NoSuchKey"),
            ({}, ("find", "nothing"), "NOT_FOUND", f"S3 cannot find 'nothing' in {where}"),
            ({"S3_BUCKET": "no-such-bucket"}, ("list",), "NOT_FOUND", "NoSuchBucket"),
            ({"S3_BUCKET": "no-such-bucket"}, ("check",), "NOT_FOUND", "no-such-bucket"),
            ({"S3_SECRET_KEY": "wrong"}, ("list",), "UNAUTHENTICATED", "SignatureDoesNotMatch"),
            ({"S3_ACCESS_KEY": "wrong"}, ("list",), "UNAUTHENTICATED", "access key"),
            ({"S3_ACCESS_KEY": "", "S3_SECRET_KEY": ""}, ("list",), "UNAUTHENTICATED", "s3-access-key"),
            ({"S3_ENDPOINT": "http://127.0.0.1:1"}, ("list",), "UNAVAILABLE", "could not be reached")):
        other = tool.with_variables(**variables)
        other(*arguments, expect=1)
        assert other.error.startswith(status + ": ") and words in other.error, other.error
        assert SECRET_KEY not in other.error


def test_keys_from_the_environment_and_the_file(tool, tmp_path):
    given = {"S3_ACCESS_KEY": "", "S3_SECRET_KEY": ""}
    tool.with_variables(**given, AWS_ACCESS_KEY_ID=tool.variables["S3_ACCESS_KEY"],
                        AWS_SECRET_ACCESS_KEY=tool.variables["S3_SECRET_KEY"])("check")
    shared = tmp_path / "credentials"
    shared.write_text(f"[default]\naws_access_key_id = {tool.variables['S3_ACCESS_KEY']}\n"
                      f"aws_secret_access_key = {tool.variables['S3_SECRET_KEY']}\n")
    tool.with_variables(**given, AWS_SHARED_CREDENTIALS_FILE=str(shared))("check")


def test_the_bucket_may_be_part_of_the_host(program, client_program, tmp_path_factory, tmp_path):
    own = S3Service(client_program("versitygw", "the S3 server"), tmp_path_factory.mktemp("s3"),
                    "--virtual-domain", "localhost:PORT")
    try:
        tool = S3Tool(program, f"http://localhost:{own.port}", S3_ADDRESSING="virtual")
        tool.put("a b", b"content", tmp_path)
        assert own.file("a b").read_bytes() == b"content"
        assert tool("get", "a b") == b"content" and tool.keys() == ["a b"]
    finally:
        own.stop()


def test_tls_is_verified(program, client_program, certificates, tmp_path_factory):
    own = S3Service(client_program("versitygw", "the S3 server"), tmp_path_factory.mktemp("s3"),
                    "--cert", str(certificates.server[0]), "--key", str(certificates.server[1]))
    try:
        url = f"https://localhost:{own.port}"
        S3Tool(program, url, S3_CA_FILE=str(certificates.ca.path))("check")
        unknown = S3Tool(program, url)
        unknown("check", expect=1)
        assert unknown.error.startswith("UNAVAILABLE") and "certificate" in unknown.error
    finally:
        own.stop()


def test_presigned_urls(tool, tmp_path):
    put = tool("presign", "PUT", "signed key", 60).decode().strip()
    assert fetch_url(put, "PUT", b"by URL")[0] == 200
    get = tool("presign", "GET", "signed key", 60, "näme.arrow").decode().strip()
    assert fetch_url(get) == (200, b"by URL")
    for changed in (get.replace("signed%20key", "other"), get.replace("Expires=60", "Expires=6000"),
                    re.sub("Signature=.", "Signature=_", get)):
        assert fetch_url(changed)[0] in (400, 403), changed
    assert fetch_url(get, "PUT", b"other")[0] == 403
    assert tool("get", "signed key") == b"by URL"
    tool("delete", "signed key")


def test_a_service_that_is_busy_is_asked_again(faulty, proxy, tmp_path):
    proxy.faults = [BUSY, BUSY, BUSY]
    faulty.put("busy", b"content", tmp_path)
    proxy.faults = [BUSY, BUSY]
    assert faulty("get", "busy") == b"content"
    proxy.faults = [BUSY] * 4
    faulty("get", "busy", expect=1)
    assert faulty.error.startswith("UNAVAILABLE") and "HTTP 503" in faulty.error
    assert proxy.faults == []
    faulty("delete", "busy")


def test_a_download_that_is_cut_goes_on(faulty, proxy, tmp_path):
    content = pattern(3 * MIB)
    faulty.put("cut", content, tmp_path)
    proxy.faults = [Fault(cut_down=cut) for cut in (100, MIB, 70000, 200)]
    assert faulty("get", "cut") == content
    assert proxy.faults == []
    faulty("delete", "cut")


def test_a_file_goes_in_one_request_which_is_sent_again_where_it_is_cut(faulty, proxy, service, tmp_path):
    content = pattern(40 * MIB + 3)
    proxy.faults = [Fault(cut_up=MIB), BUSY, Fault(cut_up=30 * MIB)]
    etag = faulty.put("file", content, tmp_path).decode().rstrip().split("\t")[3]
    assert proxy.faults == [] and "-" not in etag
    assert service.file("file").read_bytes() == content
    faulty("delete", "file")


def test_an_upload_in_parts_that_is_cut_is_sent_again(faulty, proxy, service):
    content = pattern(11 * MIB)
    parts = faulty.with_variables(S3_PART_BYTES=str(5 * MIB))
    proxy.faults = [Fault(cut_up=100), Fault(), Fault(cut_up=MIB), Fault(), Fault(cut_up=4 * MIB)]
    parts.put_parts("cut", content)
    assert proxy.faults == [] and service.file("cut").read_bytes() == content
    assert service.unfinished_uploads() == []
    parts("delete", "cut")


def test_an_upload_that_fails_leaves_nothing(faulty, proxy, service):
    parts = faulty.with_variables(S3_PART_BYTES=str(5 * MIB), S3_ATTEMPTS="2")
    proxy.faults = [Fault(), Fault(), Fault(cut_up=MIB), BUSY]
    parts.put_parts("gone", pattern(11 * MIB), expect=1)
    assert parts.error.startswith("UNAVAILABLE: S3 cannot put 'gone'"), parts.error
    assert service.unfinished_uploads() == [] and not service.file("gone").exists()


def test_a_service_that_hangs_is_left(faulty, proxy):
    slow = faulty.with_variables(S3_STALL_MS="100", S3_ATTEMPTS="1")
    proxy.faults = [Fault(hang=True)]
    slow("check", expect=1)
    assert slow.error.startswith("UNAVAILABLE") and "stood still for 100 ms" in slow.error
    assert slow("check") == b""


def test_it_goes_through_a_proxy(tool, proxy, service):
    """A plain proxy gets the whole URL, which the service takes as well."""
    tool.with_variables(S3_PROXY=proxy.url)("check")
    assert proxy.connections == 1
