from pathlib import Path

from helpers.python_reference import load_generator


def test_the_page_describes_the_public_names_of_now(repository: Path) -> None:
    generator = load_generator(repository)
    assert generator.PAGE.read_text(encoding="utf-8") == generator.page(), "run: python docs/make_python_reference.py"


def test_every_public_name_and_member_has_a_summary(repository: Path) -> None:
    generator = load_generator(repository)
    names = [name for package in generator.PACKAGES for name in generator.public_names(package)]
    assert names
    described = [one for name in names for one in (name, *name.members)]
    without = [one.name for one in described if not one.summary]
    assert without == []
