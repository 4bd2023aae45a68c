"""The keys whose first letters end in a separator: prefix, alphabet and number of characters.

As their vendors document them, or show them in their examples.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ALPHABETS = {
    name: re.compile(f"[{characters}]*+")
    for name, characters in {
        "alnum": "A-Za-z0-9",
        "word": "A-Za-z0-9_",
        "part": "A-Za-z0-9_-",
        "dotted": "A-Za-z0-9_.-",
        "base64": "A-Za-z0-9+/=",
        "long": "A-Za-z0-9+/=_.-",
        "hex": "0-9a-f",
        "HEX": "0-9a-fA-F",
        "lower": "a-z0-9",
        "upper": "A-Z0-9",
        "base32": "A-Z2-7",
    }.items()
}


class Key(NamedTuple):
    """One form of key."""

    prefix: str
    alphabet: re.Pattern[str]
    shortest: int
    longest: int


def _keys(table: str) -> dict[str, Key]:
    """Read lines of prefix, alphabet and length; two forms may not have one prefix."""
    keys = {}
    for line in table.split("\n"):
        if line:
            prefix, alphabet, length = line.split()
            shortest, _, longest = length.partition("-")
            keys[prefix] = Key(
                prefix, _ALPHABETS[alphabet], int(shortest), int(longest or shortest)
            )
    return keys


AFTER_UNDERSCORE = _keys("""
ghp_ alnum 36-255
gho_ alnum 36-255
ghu_ alnum 36-255
ghs_ dotted 36-1000
ghr_ alnum 36-255
github_pat_ word 22-255
sk_live_ alnum 16-255
sk_test_ alnum 16-255
rk_live_ alnum 16-255
rk_test_ alnum 16-255
whsec_ base64 32-64
npm_ alnum 36
hf_ alnum 34-40
api_org_ alnum 34
dop_v1_ hex 64
doo_v1_ hex 64
dor_v1_ hex 64
shpat_ HEX 32
shpca_ HEX 32
shppa_ HEX 32
shpss_ HEX 32
shptka_ HEX 32
gsk_ alnum 40-64
r8_ alnum 37
lsv2_pt_ word 42-50
lsv2_sk_ word 42-50
pcsk_ word 50-100
dckr_pat_ part 20-40
dckr_oat_ part 20-40
sbp_ hex 40
sbp_v0_ hex 40
sb_secret_ part 20-60
pscale_tkn_ dotted 32-64
pscale_pw_ dotted 32-64
pscale_oauth_ dotted 32-64
napi_ lower 64
lin_api_ alnum 40
figd_ part 40-48
secret_ alnum 43
ntn_ alnum 46
glsa_ word 41
glc_ base64 32-400
sntrys_ long 60-500
sntryu_ hex 64
rubygems_ hex 48
squ_ hex 40
sqp_ hex 40
sqa_ hex 40
nfp_ word 36-40
fo1_ part 43
fm1a_ long 100-2000
fm1r_ long 100-2000
fm2_ long 100-2000
rnd_ alnum 20-60
bkua_ hex 40
sgp_ word 40-70
CCIPAT_ word 40-80
duffel_live_ part 43
shippo_live_ hex 40
rdme_ lower 70
hcaik_ lower 58
re_ word 33
ops_ dotted 200-2000
mdb_sa_sk_ part 40-60
sk_ hex 48
""")

AFTER_DASH = _keys("""
xoxa- part 10-255
xoxb- part 10-255
xoxc- part 10-255
xoxd- long 10-400
xoxe- part 10-400
xoxp- part 10-255
xoxr- part 10-255
xoxs- part 10-255
xapp- part 10-255
glpat- dotted 20-300
glptt- part 20-100
gldt- part 20-100
glrt- dotted 20-100
glcbt- part 20-100
glft- part 20-100
glsoat- part 20-100
glimt- part 20-100
glagent- part 20-100
gloas- part 20-100
glffct- part 20-100
sk-ant- part 20-255
sk-proj- part 20-255
sk-svcacct- part 20-255
sk-admin- part 20-255
sk-or- part 20-255
sk-None- part 20-255
sk-lf- part 36
sk- alnum 32-64
csk- alnum 40-64
xai- alnum 80
pplx- alnum 48-64
nvapi- part 60-80
tvly- part 20-60
GOCSPX- part 28
pypi- part 60-500
NRAK- upper 27
HRKU- part 36-66
PMAK- part 50-70
xkeysib- part 64-90
xsmtpsib- part 64-90
tskey-auth- part 16-80
tskey-api- part 16-80
tskey-client- part 16-80
CFPAT- part 43
pul- hex 40
sq0atp- part 22
sq0csp- part 43
FLWSECK- alnum 32-40
access-production- part 36
access-sandbox- part 36
secret-production- part 30-40
pat-na1- part 36
pat-na2- part 36
pat-eu1- part 36
bedrock-api-key- long 30-2000
""")

AFTER_DOT = _keys("""
ya29. dotted 20-1000
hvs. part 24-300
hvb. part 24-300
hvr. part 24-300
dp.pt. alnum 40-44
dp.st. dotted 40-60
dp.ct. alnum 40-44
dp.sa. alnum 40-44
dp.scim. alnum 40-44
dp.audit. alnum 40-44
dt0c01. dotted 89
dt0s01. dotted 89
sl. part 130-1500
""")
