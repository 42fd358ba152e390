import base64
import hashlib
import json
import re

from foundation.html_page import html_page

TEMPLATE = "<title>$title</title><m c=\"$policy\"><style>$style</style><i id='d'>$data</i><script>$first</script>"

ATTACK = "</i></title></script><script>hacked()</script>&\u2028"


def test_names_of_strangers_end_no_element_and_stay_what_they_were() -> None:
    page = html_page(TEMPLATE, title=ATTACK, style="", data={"name": ATTACK}, scripts={"first": "1;"})
    assert page.count("</script>") == 1
    assert page.count("</title>") == 1
    (data,) = re.findall("<i id='d'>(.*)</i>", page)
    assert json.loads(data) == {"name": ATTACK}


def test_the_policy_names_the_scripts_of_the_page_and_no_host() -> None:
    page = html_page(TEMPLATE, title="t", style="p {}", data=[], scripts={"first": "say('a');"})
    (policy,) = re.findall('<m c="(.*?)">', page)
    digest = base64.b64encode(hashlib.sha256(b"say('a');").digest()).decode()
    assert policy.startswith("default-src &#x27;none&#x27;; ")
    assert f"script-src &#x27;sha256-{digest}&#x27;;" in policy
    assert "http" not in policy
    assert "p {}</style>" in page
