"""What the library gives back, as typed objects: plans and reports, made of the core's JSON."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from zulip_backup import _native
from zulip_backup._events import ProgressCallback
from zulip_backup._finding import Finding
from zulip_backup._observe import Observer

_P = TypeVar("_P", bound="Product")
_R = TypeVar("_R", bound="Report")


class Product:
    """A plan or a report."""

    _data: dict[str, Any]
    _text: str

    @classmethod
    def _made(cls: type[_P], outcome: tuple[str, str]) -> _P:
        text, shown = outcome
        data = json.loads(text)
        product: _P = _object(cls, data, cls.__name__)
        # Its class is frozen.
        object.__setattr__(product, "_data", data)
        object.__setattr__(product, "_text", shown)
        return product

    def to_dict(self) -> dict[str, Any]:
        """All of it, as the command's ``--json`` prints it. Keys are added in later versions, never changed."""
        return cast("dict[str, Any]", json.loads(json.dumps(self._data)))

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        (name, value) = next(iter(self._data.items()))
        return f"<{type(self).__name__} {name}={value!r}>"

    @property
    def has_findings(self) -> bool:
        """Whether something needs a person's look: any finding that is more than a note."""
        return any(finding.severity != "note" for finding in self._findings())

    def _is_free_of_errors(self) -> bool:
        return all(finding.severity != "error" for finding in self._findings())

    def _findings(self) -> tuple[Finding, ...]:
        found: tuple[Finding, ...] = getattr(self, "findings", ())
        return found


class Report(Product):
    """What was done, or found."""


class Plan(Product, Generic[_R]):
    """What will be done; nothing is yet. It can be executed once."""

    _report: ClassVar[type[Report]]
    _native: _native.Plan

    def execute(self, *, progress: ProgressCallback | None = None) -> _R:
        """Do it."""
        return self._executed(Observer(progress), renders=False)

    def _executed(self, observer: Observer, *, renders: bool) -> _R:
        report = self._report._made(self._native.execute(observer, renders))
        observer.log(report._findings())
        return cast("_R", report)


def run(report: type[_R], request: Mapping[str, Any], progress: ProgressCallback | None) -> _R:
    """Does what the request asks for."""
    return cast("_R", run_if_any(report, request, progress))


def run_if_any(report: type[_R], request: Mapping[str, Any], progress: ProgressCallback | None) -> _R | None:
    """The same for what may have nothing to do."""
    observer = Observer(progress)
    outcome = _native.run(json.dumps(request), observer)
    if outcome[0] == "null":
        return None
    made = report._made(outcome)
    observer.log(made._findings())
    return made


_AnyPlan = TypeVar("_AnyPlan", bound="Plan[Any]")


def planned(plan: type[_AnyPlan], request: Mapping[str, Any], progress: ProgressCallback | None) -> _AnyPlan:
    """Plans what the request asks for."""
    native = _native.plan(json.dumps(request), Observer(progress))
    made = plan._made((native.json, native.text))
    object.__setattr__(made, "_native", native)
    return made


def _decoded(kind: Any, value: Any, where: str) -> Any:
    """What a JSON value stands for, where an object of this type is expected."""
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (some,) = (argument for argument in get_args(kind) if argument is not type(None))
        return _decoded(some, value, where)
    if origin is tuple:
        (item, _) = get_args(kind)
        # Where findings are many, they come with how many there are of each code.
        items = value["list"] if item is Finding and isinstance(value, dict) else value
        return tuple(_decoded(item, element, f"{where}[{at}]") for at, element in enumerate(_expect(list, items, where)))
    if origin is dict:
        (_, item) = get_args(kind)
        return {key: _decoded(item, element, f"{where}.{key}") for key, element in _expect(dict, value, where).items()}
    if origin is Literal:
        # A later version may know more words.
        return _expect(str, value, where)
    if kind is Path:
        return Path(_expect(str, value, where))
    if kind is datetime:
        return _time(_expect(str, value, where))
    if kind is float:
        return float(_expect((int, float), value, where))
    if dataclasses.is_dataclass(origin or kind):
        return _object(kind, _expect(dict, value, where), where)
    return _expect(kind, value, where)


def _object(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    known = {
        name: _decoded(hint, value[key], f"{where}.{key}") for key, (name, hint) in hints.items() if key in value
    }
    return (get_origin(kind) or kind)(**known)


@functools.cache
def _hints(kind: Any) -> dict[str, tuple[str, Any]]:
    """The attributes of a dataclass and their types, by their keys. It may be a generic one: ``Part[Path]``."""
    made = get_origin(kind) or kind
    meant = dict(zip(getattr(made, "__parameters__", ()), get_args(kind), strict=True))
    hints = get_type_hints(made)
    return {key_of(field): (field.name, _meant(hints[field.name], meant)) for field in dataclasses.fields(made)}


def key_of(field: dataclasses.Field[Any]) -> str:
    """What the JSON calls an attribute: as it is called, unless that is a word of Python's."""
    key: str = field.metadata.get("key", field.name)
    return key


def _meant(hint: Any, meant: Mapping[Any, Any]) -> Any:
    """A type whose variables are known now."""
    if isinstance(hint, TypeVar):
        return meant[hint]
    unknown = getattr(hint, "__parameters__", ())
    return hint[tuple(meant[one] for one in unknown)] if unknown else hint


def _expect(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{where}: expected {kind}, found {value!r}")
    return value


def _time(text: str) -> datetime:
    """RFC 3339, of which older versions of Python take neither the Z nor nanoseconds."""
    moment, fraction = text.removesuffix("Z").partition(".")[::2]
    return datetime.fromisoformat(f"{moment}.{fraction[:6]:0<6}+00:00")
