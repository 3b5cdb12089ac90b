"""What a message may tell of a URL."""

import re

PASSWORD = re.compile(r"""(://[^\s/@:'"]*):[^\s'"]*@""")


def masked(text: str) -> str:
    """A text whose paths and URLs have lost the passwords that they may hold."""
    return PASSWORD.sub(r"\1:***@", text)
