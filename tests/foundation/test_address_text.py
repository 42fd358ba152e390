"""Addresses without what opens them: what is a secret, what says which file is meant."""

import pytest

from foundation.address_text import address_without_secrets, without_secrets
from foundation.text import printable, shown

S3 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60"


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        (f"https://b.s3.amazonaws.com/a b.mp4?{S3}&X-Amz-Signature=ab", "https://b.s3.amazonaws.com/a b.mp4"),
        ("https://h/a.mp4?AWSAccessKeyId=AK&Expires=1790000000&Signature=q%2F", "https://h/a.mp4"),
        ("https://h/a.mp4?X-Goog-Algorithm=GOOG4&X-Goog-Signature=00ff", "https://h/a.mp4"),
        ("https://h/a.mp4?GoogleAccessId=x@y.iam&Expires=1790000000&Signature=q", "https://h/a.mp4"),
        ("https://h/a.mp4?sv=2022-11-02&st=2026&se=2027&sr=b&sp=r&sig=q%2Fz%3D", "https://h/a.mp4"),
        ("https://h/a.mp4?Policy=e30_&Signature=q~&Key-Pair-Id=K2", "https://h/a.mp4"),
        ("https://h/a.mp4?md5=Zm9vYmFyYmF6cXV4MTIzNA&expires=1790000000", "https://h/a.mp4"),
        ("https://h/a.mp4?hdnea=exp=1790000000~acl=/*~hmac=00ff", "https://h/a.mp4"),
        ("https://h/get?id=7&access_token=abc", "https://h/get?id=7"),
        ("https://h/get?id=7&token=abc#part", "https://h/get?id=7#part"),
        ("https://h/get?Qm9vYmFyYmF6cXV4MTIzNDU2Nzg5MDEyMzQ1Njc4", "https://h/get"),
        ("https://h/a.mp4#access_token=abc", "https://h/a.mp4"),
        ("https://anna:p@ss:w@h:8080/a.mp4", "https://h:8080/a.mp4"),
        ("https://ghp_token@h/a.mp4", "https://h/a.mp4"),
        ("sftp://anna:secret@h/a.mp4", "sftp://anna@h/a.mp4"),
    ],
)
def test_passwords_signatures_and_tokens_are_left_out(address: str, plain: str) -> None:
    assert address_without_secrets(address) == plain
    assert address_without_secrets(plain) == plain


@pytest.mark.parametrize(
    "address",
    [
        "https://h/get?id=0123456789abcdef0123456789abcdef&quality=high",
        "https://h/get?video=123e4567-e89b-42d3-a456-426614174000",
        "https://h/@anna/a.mp4",
        "https://h/a.mp4?v=2",
        "https://h/watch?v=dQw4w9WgXcQ&t=10",
        "s3://bucket/what?really.mp4",
        "abfs://container@account.dfs.core.windows.net/a.mp4",
        "raw/100%/a=b?.mp4",
    ],
)
def test_what_says_which_file_is_meant_stays(address: str) -> None:
    assert address_without_secrets(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "403, message='Forbidden', url='https://h/a.mp4?sig=SECRET%2F'",
        "HTTPConnectionPool(host='h', port=80): Max retries exceeded with url: /a.mp4?X-Amz-Signature=SECRET (refused)",
        "https://h/a b.mp4?Expires=1&Signature=SECRET: cannot be read",
        'Cannot connect to "https://anna:SECRET@h/a.mp4", twice',
        "[Errno 2] https://h/a.mp4?SECRETSECRETSECRETSECRETSECRETSECRET1",
    ],
)
def test_messages_of_libraries_are_freed_of_secrets_and_stay_readable(text: str) -> None:
    assert "SECRET" not in without_secrets(text)
    assert without_secrets(text)[:4] == text[:4]


def test_a_message_about_local_files_stays_as_it_is() -> None:
    text = "cannot read raw/a=b.mp4; size=3&time=4, (k=1)"
    assert without_secrets(text) == text


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\u2028", "\udce9", "\ufeff"])
def test_signs_without_a_picture_are_escaped(sign: str) -> None:
    escaped = printable(f"a{sign}b")
    assert escaped.isprintable()
    assert escaped.encode("ascii").decode("unicode_escape") == f"a{sign}b"


def test_letters_of_all_languages_stay_and_lines_where_there_are_several() -> None:
    assert printable("Zoë, Дмитрий, 李, a b") == "Zoë, Дмитрий, 李, a b"
    assert shown("one\ntwo\x1b", several_lines=True) == "one\ntwo\\x1b"
