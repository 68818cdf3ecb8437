"""A product: what one page of the shop describes and shows, and the SKUs it is sold under."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

from pydantic import Field

from bus.messages import Event, Model
from catalog.commands import Picture
from catalog.prose import sanitised

Status = Literal["draft", "published", "archived"]
"""Whether buyers see a product: not yet, now, no more."""


class Description(Model):
    """What a product's page says; `categories` are those it stands in beside its main one."""

    name: str
    description: str
    brand: str
    category: str
    categories: tuple[str, ...] = ()
    attributes: dict[str, str] = Field(default_factory=dict)


class Variant(Model):
    """One way in which a product is sold; `weight_g` in grams, if known."""

    sku: str
    name: str
    weight_g: int | None = None
    attributes: dict[str, str] = Field(default_factory=dict)


class Shown(Model):
    """A picture on a product's page. Its number is never given to another of its pictures."""

    number: int
    picture: Picture


class ProductListed(Event, name="catalog.ProductListed"):
    """There is a new page in the shop."""

    product_id: str
    about: Description
    status: Status = "published"
    reason: str = ""

    @classmethod
    def upcast(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Descriptions could be any text once."""
        return made_safe(data)


class ProductDescribed(Event, name="catalog.ProductDescribed"):
    """The page says something else."""

    product_id: str
    about: Description
    reason: str = ""

    @classmethod
    def upcast(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Descriptions could be any text once."""
        return made_safe(data)


def made_safe(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event, with a description of before there were categories made safe."""
    about = data["about"]
    if "categories" in about:
        return data
    return {**data, "about": {**about, "description": sanitised(about["description"])}}


class VariantsChanged(Event, name="catalog.VariantsChanged"):
    """The product is sold under these SKUs."""

    product_id: str
    variants: tuple[Variant, ...]
    reason: str = ""


class PicturesChanged(Event, name="catalog.PicturesChanged"):
    """The page shows these pictures."""

    product_id: str
    pictures: tuple[Shown, ...]
    reason: str = ""


class ProductPublished(Event, name="catalog.ProductPublished"):
    """Buyers see the page from now on."""

    product_id: str
    reason: str = ""


class ProductArchived(Event, name="catalog.ProductArchived"):
    """No buyer sees the page any more."""

    product_id: str
    reason: str = ""


ProductEvent = (
    ProductListed
    | ProductDescribed
    | VariantsChanged
    | PicturesChanged
    | ProductPublished
    | ProductArchived
)


@dataclass(frozen=True, slots=True)
class Product:
    """A product's page."""

    product_id: str
    about: Description
    variants: tuple[Variant, ...] = ()
    pictures: tuple[Shown, ...] = ()
    last_number: int = 0
    """The highest number that any picture has had."""
    status: Status = "published"


def evolve(product: Product | None, event: ProductEvent) -> Product:
    """The product after an event; the first one lists it."""
    now = product or Product(event.product_id, BLANK)
    match event:
        case ProductListed(about=about, status=status):
            return replace(now, about=about, status=status)
        case ProductDescribed(about=about):
            return replace(now, about=about)
        case ProductPublished():
            return replace(now, status="published")
        case ProductArchived():
            return replace(now, status="archived")
        case VariantsChanged(variants=variants):
            return replace(now, variants=variants)
        case PicturesChanged(pictures=pictures):
            highest = max((shown.number for shown in pictures), default=0)
            return replace(now, pictures=pictures, last_number=max(now.last_number, highest))
        case _:
            assert_never(event)


BLANK = Description(name="", description="", brand="", category="")
