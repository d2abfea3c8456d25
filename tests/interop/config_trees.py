"""Configurations for both sides to read: a few files, an environment, a working directory."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from choria_lifecycle.config.choria.keys import KEYS, known_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The content of a file: text, a repeated text, bytes in base64, a link, or a directory.
Content = str | dict[str, str | int]

INITIAL = "etc/client.conf"
NAMED = "identity = n1\n"  # otherwise Go would query DNS and facter


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A configuration below a directory that is written as @.

    Attributes:
        name: its notable property.
        files: the files by their paths below @.
        initial: the initial file's path: below @, or below the directory if it begins with a dot.
        directory: the working directory.
        environ: the environment.
    """

    name: str
    files: dict[str, Content]
    initial: str = INITIAL
    directory: str = "work"
    environ: dict[str, str] = field(default_factory=lambda: {"HOME": "@/home"})

    def build(self, base: Path) -> None:
        """Write the files below a directory."""
        for name, content in self.files.items():
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            match content:
                case str():
                    path.write_bytes(content.replace("@", str(base)).encode())
                case {"directory": _}:
                    path.mkdir()
                case {"link": target}:
                    path.symlink_to(str(target).replace("@", str(base)))
                case {"base64": data}:
                    path.write_bytes(base64.b64decode(str(data)))
                case {"of": text, "times": times}:
                    before, after = content.get("before", ""), content.get("after", "")
                    path.write_bytes(f"{before}{str(text) * int(times)}{after}".encode())
        (base / self.directory).mkdir(parents=True, exist_ok=True)

    def start(self, base: Path) -> str:
        """Return the path of the initial file."""
        return self.initial if self.initial.startswith(".") else str(base / self.initial)

    def variables(self, base: Path) -> dict[str, str]:
        """Return the environment variables."""
        return {name: value.replace("@", str(base)) for name, value in self.environ.items()}


def trees() -> Iterator[Tree]:
    """Yield the hand-picked configurations."""
    yield Tree(name="only an identity", files={INITIAL: NAMED})
    yield Tree(name="nothing", files={INITIAL: ""})
    for name, text in _LINES.items():
        yield Tree(name=name, files={INITIAL: NAMED + text})
    yield Tree(name="invalid UTF-8", files={INITIAL: {"base64": _encoded(NAMED.encode() + b"a = \xff\xe2\x82x\n")}})
    yield Tree(name="a file without a line feed", files={INITIAL: "identity = n1"})
    yield Tree(name="a line of 65,535 bytes", files={INITIAL: _long(65_535)})
    yield Tree(name="a line of 65,536 bytes", files={INITIAL: _long(65_536)})
    yield Tree(name="more than 1 MiB", files={INITIAL: {"of": "# a comment of 32 characters ...\n", "times": 32_000}})
    yield Tree(name="no file", files={})
    yield Tree(name="a directory for a file", files={INITIAL: {"directory": 1}})
    yield Tree(
        name="a link to a file", files={INITIAL: {"link": "@/a.conf"}, "a.conf": NAMED, "plugin.d/a.cfg": "a = 1"}
    )
    yield Tree(name="a link to nothing", files={INITIAL: {"link": "@/a.conf"}})
    yield from _plugins()
    yield from _projects()
    yield from _home()
    yield from _environment()
    yield from _consequences()


_LINES = {
    "comments and blank lines": "# a = 1\n#a = 1\n  # a = 1\n\n   \n\t\n#\n",
    "a comment after a value": "a = 1 # one\n",
    "a value with equals signs": "a = b = c==\n",
    "no blanks around the equals sign": "a=1\nb= 2\nc =3\n",
    "many blanks": "  a   =   b c  \t\n\tb\t=\tc\t\n",
    "no equals sign": "a\nb c\n",
    "no value": "a =\nb=\nc =  \n",
    "no value, and no previous value": "plugin.choria.srv_domain = a.example\nplugin.choria.srv_domain =\n",
    "no key": "= a\n=\n==\n= =\n",
    "only an equals sign": "= a = b\n== b\n=b=c\n===\n",
    "quotes": 'a = "b"\nb = \'c\'\nplugin.choria.middleware_hosts = "a:1"\n',
    "a backslash at the end": "a = b\\\nc = d\n",
    "carriage returns": "a = 1\r\nb = 2\r\r\nc\r = 3\rd = 4\r\n",
    "carriage returns only": "a = 1\rb = 2\r",
    "other blanks": "\xa0a\xa0=\xa0b\xa0\n\u3000c = \u2003d\u2003\n\x0be\x0b=\x0bf\x0b\n\x85g = h\x85\n\x1ci = j\x1c\n",
    "form feeds and vertical tabs": "a\f=\fb\nc\v=\vd\n",
    "a zero byte": "a = b\0c\nd\0 = e\n",
    "a byte order mark": "\ufeffa = b\n",
    "other scripts": "\u043a\u043b\u044e\u0447 = \u65e5\u672c\n\U0001f600 = \U0001f600\n",
    "a section": "[main]\na = b\n",
    "colons": "a: b\nb: c = d\n",
    "keys in capitals": "Plugin.Choria.Use_Srv = false\nMAIN_COLLECTIVE = a\n",
    "unknown keys": "a = 1\nplugin.choria.a = 1\nplugin.a.b = 1\n",
    "a key twice": "main_collective = a\nmain_collective = b\n",
    "a list twice": "collectives = a,b\ncollectives = c\n",
    "a list with blanks and empty items": "collectives = , a ,,b,\n",
    "a list of empty items": "collectives = ,\n",
    "an invalid number": "plugin.security.pkcs11.slot = x\nttl = 1.5\n",
    "many spellings of booleans": "plugin.choria.use_srv = NO\nplugin.security.support_legacy_certificates = Y\n",
    "an invalid boolean": "plugin.choria.use_srv = maybe\n",
    "a valid and an invalid boolean": "plugin.security.client_anon_tls = true\nplugin.security.client_anon_tls = on\n",
    "an unknown provider": "plugin.security.provider = puppets\n",
    "a provider in capitals": "plugin.security.provider = File\n",
    "an unknown level": "loglevel = trace\n",
    "a path in the home directory": "plugin.choria.ssldir = ~/ssl\nplugin.security.file.ca =  ~other/~ \n",
    "a path that is not expanded": "plugin.nats.credentials = ~/a.creds\nplugin.choria.ssldir = $HOME/~\n",
    "a timeout": "plugin.choria.network.connect_timeout = 1m30s\n",
    "an invalid timeout": "plugin.choria.network.connect_timeout = 5\nplugin.choria.network.connect_timeout = 5x\n",
    "a zero timeout": "plugin.choria.network.connect_timeout = 0\n",
    "a negative timeout": "plugin.choria.network.connect_timeout = -5s\n",
    "a timeout that is too long": "plugin.choria.network.connect_timeout = 121\n",
    "a timeout that overflows": "plugin.choria.network.connect_timeout = 10000000000\n",
}


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _long(size: int) -> Content:
    return {"before": NAMED + "b = ", "of": "x", "times": size - 4, "after": "\nc = 1\n"}


def _plugins() -> Iterator[Tree]:
    for name, files in {
        "plugin.d/choria.cfg": {"choria.cfg": "middleware_hosts = a:1, b:2\nuse_srv = no\nsrv_domain = a.example\n"},
        "plugin.d/choria.cfg with full names": {
            "choria.cfg": "plugin.choria.use_srv = no\nidentity = n2\nplugin.security.provider = file\n"
        },
        "plugin.d/choria.cfg with other names": {
            "choria.cfg": "security.provider = file\nnats.user = a\nnats.pass = b\n"
        },
        "plugin.d/choria.cfg for tokens": {"choria.cfg": "security.request_signer.token_file = ~/token\nssldir = /a\n"},
        "other files in plugin.d": {
            "security.cfg": "provider = file\nfile.ca = /a\nchoria.seed_file = /b\nissuer.a.public = ff\n",
            "nats.cfg": "user = a\npass = b\npassword = c\n",
            "login.cfg": "aaasvc.login.url = http://localhost\n",
            "puppet.cfg": "splay = true\nbad line\nb =\n",
        },
        "a lone .conf in plugin.d": {"choria.conf": "use_srv = no\n", "a.conf": "b = c\n"},
        ".conf and .cfg in plugin.d": {"choria.conf": "a = 1\n", "choria.cfg": "use_srv = no\n", "b.cfg": "c = 1\n"},
        "other endings in plugin.d": {"choria.cfg.bak": "a = 1\n", "choria": "a = 1\n", "a.CFG": "b = 1\n"},
        "odd names in plugin.d": {".cfg": "a = 1\n", "a.b.cfg": "c = 1\n", "..cfg": "d = 1\n", "a b.cfg": "e = 1\n"},
        "the order of files in plugin.d": {
            "a.cfg": "b.c = 1\n",
            "a.b.cfg": "c = 2\n",
            "choria.a.cfg": "c = 3\n",
            "choria.cfg": "a.c = 4\n",
        },
        "a directory in plugin.d": {"a.cfg": {"directory": 1}, "b.cfg": "c = 1\n"},
        "a link to nothing in plugin.d": {"a.cfg": {"link": "@/nothing"}, "b.cfg": "c = 1\n"},
        "a circular link in plugin.d": {"a.cfg": {"link": "@/etc/plugin.d/a.cfg"}},
        "lists in plugin.d": {"choria.cfg": "federation.collectives = a\nfederation.collectives = b, c\n"},
    }.items():
        below: dict[str, Content] = {f"etc/plugin.d/{file}": content for file, content in files.items()}  # type: ignore[attr-defined]
        yield Tree(name=name, files={INITIAL: NAMED, **below})
    yield Tree(name="plugin.d is a file", files={INITIAL: NAMED, "etc/plugin.d": "a = 1\n"})
    yield Tree(
        name="plugin.d wins over the initial file",
        files={
            INITIAL: NAMED + "plugin.choria.srv_domain = a\nplugin.choria.use_srv = no\n",
            "etc/plugin.d/choria.cfg": "srv_domain = b\nuse_srv = maybe\n",
        },
    )


def _projects() -> Iterator[Tree]:
    yield Tree(
        name="projects",
        files={
            INITIAL: NAMED + "main_collective = a\ncollectives = a\nplugin.choria.srv_domain = a\n",
            "etc/plugin.d/choria.cfg": "srv_domain = b\nmiddleware_hosts = b:1\n",
            "choria.conf": "main_collective = c\nplugin.choria.srv_domain = c\n",
            "a/choria.conf": "main_collective = d\nplugin.choria.middleware_hosts = d:1\n",
            "a/b/c/choria.conf": "main_collective = e\n",
            "a/b/c/d/choria.conf": "main_collective = f\n",
        },
        directory="a/b/c",
    )
    yield Tree(name="a project with short names", files={INITIAL: NAMED, "work/choria.conf": "use_srv = no\n"})
    yield Tree(
        name="a project's plugin.d",
        files={INITIAL: NAMED, "work/choria.conf": "a = 1\n", "work/plugin.d/choria.cfg": "use_srv = no\n"},
    )
    yield Tree(name="a project that is a directory", files={INITIAL: NAMED, "work/choria.conf": {"directory": 1}})
    yield Tree(name="a project that is a link to nothing", files={INITIAL: NAMED, "work/choria.conf": {"link": "@/a"}})
    yield Tree(
        name="a project that is a circular link",
        files={INITIAL: NAMED, "work/choria.conf": {"link": "@/work/choria.conf"}},
    )
    yield Tree(
        name="a project is the initial file",
        files={"work/choria.conf": NAMED + "collectives = a\n", "work/plugin.d/choria.cfg": "use_srv = no\n"},
        initial="./choria.conf",
    )
    yield Tree(
        name="the initial file is above the working directory",
        files={"a/x.conf": NAMED, "a/plugin.d/choria.cfg": "use_srv = no\n"},
        initial="../x.conf",
        directory="a/b",
    )
    yield Tree(
        name="a working directory that is a link",
        files={INITIAL: NAMED, "a/b/choria.conf": "a = 1\n", "a/choria.conf": "b = 1\n", "c": {"link": "@/a/b"}},
        directory="c",
        environ={"HOME": "@/home", "PWD": "@/c"},
    )
    yield Tree(
        name="an invalid PWD",
        files={INITIAL: NAMED, "a/choria.conf": "a = 1\n", "b/choria.conf": "b = 1\n"},
        directory="a",
        environ={"HOME": "@/home", "PWD": "@/b"},
    )


def _home() -> Iterator[Tree]:
    short: dict[str, Content] = {"etc/plugin.d/choria.cfg": "use_srv = no\n"}
    path = "plugin.choria.ssldir = ~/ssl\n"
    for home in ("@", "@/", "@/etc", "@/etc/", "@/e", "@/etc/client.conf", "@/etc/x", "@/etc/../etc", "/", "etc", ""):
        yield Tree(name=f"HOME is {home or 'empty'}", files={INITIAL: NAMED + path, **short}, environ={"HOME": home})
    yield Tree(name="no HOME", files={INITIAL: NAMED + path, **short}, environ={})
    yield Tree(
        name="a named path is not cleaned",
        files={INITIAL: NAMED, **short, "home/x": ""},
        initial="home/../etc/client.conf",
    )
    yield Tree(
        name=".choriarc and plugin.d",
        files={"home/.choriarc": NAMED, "home/plugin.d/choria.cfg": "use_srv = no\n"},
        initial="home/.choriarc",
    )


def _environment() -> Iterator[Tree]:
    every = {"HOME": "@/home", **{key.variable: f"{key.variable.lower()}, b" for key in KEYS.values() if key.variable}}
    every_key = "".join(f"{key.name} = from, a file\n" for key in KEYS.values() if key.variable)
    empty = dict.fromkeys(every, "") | {"HOME": "@/home"}
    for what, environ in {"variables": every, "empty variables": empty}.items():
        yield Tree(name=f"{what}, and no key", files={INITIAL: NAMED}, environ=environ)
        yield Tree(name=f"{what}, and every key", files={INITIAL: NAMED + every_key}, environ=environ)
        yield Tree(
            name=f"{what}, and keys in plugin.d",
            files={
                INITIAL: NAMED,
                "etc/plugin.d/nats.cfg": "user = a\npass = b\n",
                "etc/plugin.d/choria.cfg": "srv_domain = a\nfederation.collectives = a\n",
            },
            environ=environ,
        )
        yield Tree(
            name=f"{what}, and keys in a project",
            files={INITIAL: NAMED, "work/choria.conf": every_key},
            environ=environ,
        )


def _consequences() -> Iterator[Tree]:
    anonymous, signer = "plugin.security.client_anon_tls = true\n", "plugin.choria.security.request_signer"
    server = "plugin.security.server_anon_tls = true\n"
    for name, text in {
        "provider choria": "plugin.security.provider = choria\n",
        "provider choria, and collectives": "plugin.security.provider = choria\ncollectives = mcollective\n",
        "provider file": "plugin.security.provider = file\n",
        "a main collective among others": "collectives = a,b\nmain_collective = c\n",
        "collectives": "collectives = b,a\n",
        "anonymous": anonymous,
        "anonymous with a signer's URL": f"{anonymous}{signer}.url = http://localhost\n",
        "anonymous with a signer's service": f"{anonymous}{signer}.service = yes\n",
        "anonymous without a signer's service": f"{anonymous}{signer}.service = no\n",
        "an anonymous server": server,
        "an anonymous server with a token": f"{server}plugin.choria.security.server.token_file = ~/t\n",
        "an anonymous server with a seed": f"{server}plugin.choria.security.server.seed_file = /s\n",
    }.items():
        yield Tree(name=name, files={INITIAL: NAMED + text})
    yield Tree(
        name="a provider of a project",
        files={INITIAL: NAMED, "work/choria.conf": "plugin.security.provider = choria\n"},
    )


_TEXTS = {
    "int": ("0", "-1", "+7", "12x", "9223372036854775808"),
    "bool": ("1", "0", "yes", "No", "TRUE", "f", "on", "2"),
    "duration": ("3", "10s", "1m", "1.5h", "500ms", "0.5d", "2w", "5S", "x", "119s", "2m0.5s"),
    "path_string": ("~", "~/a", "/a/b", "a/../b", "~~/x y"),
    "comma_split": ("a", "a,b", " a , b ", "a,", "a:4222,nats://b:4222"),
}
_STRINGS = ("a", "a b", "a=b", "a # b", '"a"', "\u00e4", "puppet", "file", "choria", "debug", "~/a")
_EDGES = ("", " ", "\t", "\r", "\xa0", "#", "=", ",")


def random_trees(seed: int, count: int) -> Iterator[Tree]:
    """Yield random configurations; the same ones for the same seed and release of Python."""
    for number in range(count):
        yield _random_tree(random.Random(f"{seed}/{number}"), f"random {seed}/{number}")


def _random_tree(rng: random.Random, name: str) -> Tree:
    files: dict[str, Content] = {INITIAL: NAMED + _random_text(rng)}
    for file in rng.sample(("choria.cfg", "choria.conf", "nats.cfg", "security.cfg", "puppet.cfg", "a.conf"), 2):
        if rng.random() < 0.5:
            files[f"etc/plugin.d/{file}"] = _random_text(rng, f"plugin.{file.partition('.')[0]}.")
    for directory in ("", "a/", "a/b/", "a/b/c/"):
        if rng.random() < 0.2:
            files[f"{directory}choria.conf"] = _random_text(rng)
    variables = [key.variable for key in KEYS.values() if key.variable]
    environ = {variable: rng.choice(("a", "a,b", "")) for variable in variables if rng.random() < 0.15}
    home = rng.choice(("@/home", "@/home", "@/home", "@/etc", "@/a", ""))
    return Tree(
        name=name,
        files=files,
        directory=rng.choice(("work", "a", "a/b")),
        environ=environ | ({"HOME": home} if home else {}),
    )


def _random_text(rng: random.Random, prefix: str = "") -> str:
    lines = [_random_line(rng, prefix) for _ in range(rng.randrange(1, 6))]
    return "".join(line + rng.choice(("\n", "\n", "\n", "\r\n", "\n\n")) for line in lines)


def _random_line(rng: random.Random, prefix: str) -> str:
    kind = rng.random()
    if kind < 0.1:
        return "".join(rng.choice((*_EDGES, "a", "plugin.nats.user", "b")) for _ in range(rng.randrange(6)))
    key = rng.choice((*KEYS, *KEYS, *known_keys(), "plugin.a.b", "a"))
    text = rng.choice(_TEXTS.get(known_keys()[key].kind if key in known_keys() else "", _STRINGS))
    if rng.random() < 0.1:
        text = rng.choice(_STRINGS)
    if prefix and key.startswith(prefix) and rng.random() < 0.9:
        key = key.removeprefix(prefix)
    elif rng.random() < 0.1:
        key = key.replace("_", "").upper() if rng.random() < 0.2 else key[:-1]
    blank = rng.choice(("", " ", " ", " ", "  ", "\t"))
    return f"{rng.choice(('', '', ' '))}{key}{blank}={blank}{text}{rng.choice(('', '', ' ', chr(9)))}"
