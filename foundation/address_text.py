"""Addresses without what opens them: passwords, tokens and signatures are no part of what is stored or shown.

An address may carry its own key, such as `https://anna:secret@host/talk.mp4`, or a signed one of a store,
`https://bucket.s3.amazonaws.com/talk.mp4?X-Amz-Expires=3600&X-Amz-Signature=...`. A signed address differs each time
that it is signed; without the signature it is the same text for the same file.
"""

import re
from urllib.parse import unquote

__all__ = ["address_without_secrets", "without_secrets"]

_USER = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\s'\"<>]*)@")
"""Protocol, and what stands before the host."""

_QUERY = re.compile(r"([?#;&])([^?#\s'\"<>`]*=[^?#\s'\"<>`]*|[A-Za-z0-9+/_.~%-]{32,})")
"""A query or a fragment with at least one value, or nothing but a token, within any text."""

_SECRET_STARTS = ("xamz", "xgoog", "xoss", "xcos", "xobs", "qsign", "qak", "hdn")
"""Of S3, Google, Alibaba, Tencent, Huawei and Akamai; letters and digits alone, in lower case."""

_SECRET_PARTS = (
    *("signature", "token", "secret", "password", "passwd", "credential", "accesskey", "apikey", "authorization"),
    *("hmac", "keypairid", "accessid", "sessionid", "jwt"),
)

_SECRETS = frozenset(("sig", "sas", "pwd", "pass", "auth", "key", "policy", "securelink"))

_BESIDE_A_SIGNATURE = frozenset(
    (
        *("expires", "expiry", "exp", "e", "expire", "ttl", "ts", "timestamp", "nonce", "algorithm", "keyname"),
        # Microsoft, "Create a service SAS" and "Create a user delegation SAS": times, rights and versions
        *("sv", "st", "se", "sr", "sp", "spr", "sip", "si", "ss", "srt", "skoid", "sktid", "skt", "ske", "sks", "skv"),
        *("saoid", "suoid", "scid", "sdd", "ses"),
    )
)
"""What a signature covers: it changes with each signing."""

_TIMES = frozenset(("expires", "expiry", "exp", "e", "expire"))

_NAMES_A_FILE = frozenset(("id", "v", "file", "filename", "path", "name", "video", "versionid", "generation"))
"""Values that say which file is meant, however long."""

_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/=_.~%-]{16,}")
"""A value that looks like a signature or a token."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_SURELY_RANDOM = 32
"""Length from which such a value is taken for a secret without another sign of one, characters."""


def address_without_secrets(address: str) -> str:
    """Return an address without the user's name and password, and without a signature or token in its query.

    Of the query stays what says which file is meant. Where the protocol is not HTTP, a user's name alone stays.

    >>> address_without_secrets("https://anna:secret@host/talk.mp4?id=7&Expires=1790000000&Signature=q%2Fz")
    'https://host/talk.mp4?id=7'
    >>> address_without_secrets("abfs://container@account.dfs.core.windows.net/talk.mp4")
    'abfs://container@account.dfs.core.windows.net/talk.mp4'
    """
    protocol, separator, rest = address.partition("://")
    if not separator:
        return address
    end = re.search("[/?#]|$", rest)
    authority, behind = (rest, "") if end is None else (rest[: end.start()], rest[end.start() :])
    user, at, host = authority.rpartition("@")
    kept = "" if protocol.lower().startswith("http") else user.partition(":")[0]
    return f"{protocol}://{kept}{at if kept else ''}{host}{_plain_queries(behind)}"


def _plain_queries(behind: str) -> str:
    path, mark, query = behind.partition("?")
    query, hash_mark, fragment = query.partition("#") if mark else ("", *path.partition("#")[1:])
    path = path if mark else path.partition("#")[0]
    parts = ((mark, _without_secret_values(query)), (hash_mark, _without_secret_values(fragment)))
    return path + "".join(sign + text for sign, text in parts if text)


def without_secrets(text: str) -> str:
    """Return a text, such as the message of a library, without the passwords and signatures of addresses in it.

    >>> without_secrets("403, message='Forbidden', url='https://host/talk.mp4?sig=q%2Fz'")
    "403, message='Forbidden', url='https://host/talk.mp4'"
    >>> without_secrets("Max retries exceeded with url: /talk.mp4?X-Amz-Signature=ab (refused)")
    'Max retries exceeded with url: /talk.mp4 (refused)'
    """
    if "://" not in text and "?" not in text:
        return text
    text = _USER.sub(lambda found: address_without_secrets(found[0]), text)
    return _QUERY.sub(_plain_query, text)


def _plain_query(found: re.Match[str]) -> str:
    kept = _without_secret_values(found[2])
    return f"{found[1]}{kept}" if kept else ""


def _without_secret_values(query: str) -> str:
    """Return those of the values that are neither a secret nor belong to one."""
    values = [(one, *_name_and_value(one)) for one in re.split("[&;]", query)]
    signed = any(_is_secret(name, value) or _is_time(name, value) for _, name, value in values)
    kept = [
        one
        for one, name, value in values
        if not (_is_secret(name, value) or (signed and _belongs_to_a_signature(name, value)))
    ]
    return query if len(kept) == len(values) else "&".join(kept)


def _name_and_value(text: str) -> tuple[str, str]:
    """Return the name of a value, letters and digits alone in lower case, and the value; a value may have no name."""
    name, separator, value = text.partition("=")
    return (re.sub("[^a-z0-9]", "", unquote(name).lower()), value) if separator else ("", text)


def _is_secret(name: str, value: str) -> bool:
    return (
        name in _SECRETS
        or name.startswith(_SECRET_STARTS)
        or any(part in name for part in _SECRET_PARTS)
        or (len(value) >= _SURELY_RANDOM and _looks_random(name, value))
    )


def _looks_random(name: str, value: str) -> bool:
    return name not in _NAMES_A_FILE and bool(_RANDOM.fullmatch(value)) and not _UUID.fullmatch(value)


def _is_time(name: str, value: str) -> bool:
    """Return whether a value says until when an address may be opened."""
    return name in _TIMES and value.isdecimal()


def _belongs_to_a_signature(name: str, value: str) -> bool:
    return name in _BESIDE_A_SIGNATURE or _looks_random(name, value)
