"""What an operator can set, from `SHOP_*` variables or a `.env` file."""

import os
import re
from datetime import timedelta
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import limits
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from bus.currency import Currency
from delivery.clock import TimeZone
from delivery.tariff import BY_ZONE, DEFAULT, Tariff
from shop import addresses, lengths
from shop.tariff_files import tariffs_of

_PREFIX = "SHOP_"

_ELSEWHERE = {"SHOP_URL"}
"""Variables that stand in for an option of one command."""

OFF = "off"


class BadSettings(ValueError):
    """A setting is wrong. The message is one line that names each wrong variable."""


def _whole(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"\d{1,12}", value.strip()):
        # 15.00 would be read as 15, which is 0.15 of the currency.
        raise ValueError("must be a whole number of minor units (1500 is 15.00) or metres")
    return value


def _rate(value: str) -> str:
    if value != OFF:
        try:
            limits.parse(value)
        except ValueError:
            raise ValueError("must be such as `100/second` or `5000/minute`, or `off`") from None
    return value


def _within_horizon(value: timedelta, info: ValidationInfo) -> timedelta:
    horizon = info.data.get("slot_horizon")
    if horizon is not None and value >= horizon:
        raise ValueError(f"must be shorter than SHOP_SLOT_HORIZON ({horizon}), or no slot is left")
    return value


def _needed(why: str, **by: str) -> AfterValidator:
    """Wants the setting to be set where another one, before it, has a value."""

    def check(value: str | None, info: ValidationInfo) -> str | None:
        for name, choice in by.items():
            if value is None and info.data.get(name) == choice:
                raise ValueError(f"{_variable(name)}={choice} needs it: {why}")
        return value

    return AfterValidator(check)


Web = Annotated[str, AfterValidator(addresses.web)]

Secret = Annotated[str, StringConstraints(pattern=r"^[!-~]+$")]


def _readable(path: Path | None) -> Path | None:
    tariffs_of(path, Tariff())  # a bad table is named at the start
    return path


def _in_table(name: str, info: ValidationInfo) -> str:
    if name in (DEFAULT, BY_ZONE) or "tariff_table" not in info.data:
        return name
    known = tariffs_of(info.data["tariff_table"], Tariff())
    if name not in known:
        names = ", ".join((DEFAULT, BY_ZONE, *known))
        raise ValueError(f"{name} is no tariff of SHOP_TARIFF_TABLE; there are {names}")
    return name


StripeSecret = Annotated[
    Secret | None, _needed("Stripe's dashboard shows it", payment_gateway="stripe")
]


def _published(source: str) -> str:
    """Where an issuer's keys are: who can change them on their way lets in whom they like."""
    if "://" in source:
        parts = urlsplit(addresses.web(source))
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("must be https://..., or the path of a file with the issuer's keys")
    return source


def _with_an_issuer(value: str | None, info: ValidationInfo) -> str | None:
    known = "jwt_issuer" in info.data
    if known and value is None and info.data["jwt_issuer"] is not None:
        raise ValueError("SHOP_JWT_ISSUER needs it, see docs/security.md")
    if known and value is not None and info.data["jwt_issuer"] is None:
        raise ValueError("is of no use without SHOP_JWT_ISSUER, see docs/security.md")
    return value


Claim = Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]{1,200}$")]  # no quotes: it is told

IssuersClaim = Annotated[Claim | None, AfterValidator(_with_an_issuer)]

KeySet = Annotated[
    Annotated[str, AfterValidator(_published)] | None, AfterValidator(_with_an_issuer)
]

Duration = Annotated[timedelta, BeforeValidator(lengths.read), AfterValidator(lengths.sensible)]

Notice = Annotated[timedelta, BeforeValidator(lengths.read), AfterValidator(lengths.short)]

_LENGTH = TypeAdapter[timedelta](Duration)

LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]

Whole = Annotated[NonNegativeInt, BeforeValidator(_whole)]


class Settings(BaseSettings):
    """Every setting of the shop; amounts are in minor units of `currency`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Path("var")
    mongodb_url: Annotated[str, AfterValidator(addresses.mongodb)] | None = Field(None, repr=False)
    mongodb_prefix: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_-]{0,31}$")] = "shop"
    redis_url: Annotated[str, AfterValidator(addresses.redis)] | None = Field(None, repr=False)
    currency: Currency = "EUR"

    payment_gateway: Literal["builtin", "stripe"] = "builtin"
    stripe_api_key: StripeSecret = Field(None, repr=False, validate_default=True)
    stripe_api_base: Web = "https://api.stripe.com"
    stripe_webhook_secret: StripeSecret = Field(None, repr=False, validate_default=True)
    stripe_return_url: Web | None = None

    jwt_issuer: Claim | None = None
    jwt_audience: IssuersClaim = Field(None, validate_default=True)
    jwt_jwks: KeySet = Field(None, validate_default=True)
    jwt_lifetime: Duration = timedelta(hours=1)
    jwt_client_claim: Claim = "client_id"

    router: Literal["builtin", "osrm", "google"] = "builtin"
    geocoder: Literal["builtin", "nominatim", "google"] = "builtin"
    osrm_url: Annotated[
        Web | None, _needed("where your OSRM is, see docs/maps.md", router="osrm")
    ] = Field(None, validate_default=True)
    nominatim_url: Annotated[
        Web | None, _needed("where a Nominatim is, see docs/maps.md", geocoder="nominatim")
    ] = Field(None, validate_default=True)
    nominatim_per_second: Annotated[int, Field(ge=1, le=1000)] = 1
    nominatim_user_agent: Annotated[str, StringConstraints(pattern=r"^[!-~][ -~]{0,199}$")] = (
        f"Storefold/{version('storefold')}"
    )
    google_api_key: Annotated[
        Secret | None,
        _needed("Google's console makes one", router="google", geocoder="google"),
    ] = Field(None, repr=False, validate_default=True)
    google_api_base: Web | None = None
    transport: Literal["inprocess", "loopback"] = "inprocess"
    log_level: LogLevel = "WARNING"
    tracing: Literal["auto", "on", "off"] = "auto"

    tariff_threshold: Whole = 50_000
    tariff_free_distance_m: Whole = 30_000
    tariff_base: Whole = 5_000
    tariff_flat: Whole = 5_000
    tariff_per_km: Whole = 1_500
    tariff_table: Annotated[Path | None, AfterValidator(_readable)] = None
    tariff: Annotated[str, AfterValidator(_in_table)] = DEFAULT

    time_zone: TimeZone = "UTC"
    slot_horizon: Annotated[Duration, AfterValidator(lengths.near)] = timedelta(days=7)
    slot_lead: Annotated[Duration, AfterValidator(_within_horizon)] = timedelta(hours=2)

    quote_validity: Duration = timedelta(minutes=15)
    order_expiry: Duration = timedelta(minutes=30)
    reservation_ttl: Duration = timedelta(minutes=30)

    delivery_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    redelivery_after: Duration = timedelta(hours=1)

    most_shipments: Annotated[int, Field(ge=1, le=5)] = 2

    return_window: Duration = timedelta(days=30)
    return_auto_approve: Whole = 10_000

    public_url: Web | None = None
    tracking_lifetime: Duration = timedelta(hours=48)
    tracking_embed: Annotated[str, AfterValidator(addresses.origins)] = ""
    tiles_url: Annotated[str, AfterValidator(addresses.tiles)] | None = None
    tiles_attribution: str = ""

    retry_attempts: Annotated[int, Field(ge=1, le=1000)] = 8
    retry_first_pause: Duration = timedelta(milliseconds=50)
    retry_longest_pause: Duration = timedelta(seconds=5)

    webhooks_allow_private: bool = False

    rate_limit: Annotated[str, AfterValidator(_rate)] = "10000/second"
    most_at_once: Annotated[int, Field(ge=1, le=100_000)] = 256
    drain_notice: Notice = timedelta(seconds=2)


def load() -> Settings:
    """The settings of this process; raises `BadSettings`."""
    try:
        return Settings()
    except ValidationError as error:
        raise BadSettings("; ".join(map(_complaint, error.errors()))) from None
    except UnicodeDecodeError:
        raise BadSettings("the .env file is not a text file in UTF-8") from None


def length_of_time(text: str) -> timedelta:
    """Reads `24h`, `30 min`, `PT30M`, as the settings do; raises `ValueError`."""
    try:
        return _LENGTH.validate_python(text)
    except ValidationError:
        raise ValueError(
            f"{text!r} is no length of time up to a year, such as `24h`, `30 min` or `PT30M`"
        ) from None


def listing(settings: Settings) -> list[tuple[str, str]]:
    """Each variable and its value as `shop doctor` may show them: with no password or key."""
    return [
        (_variable(name), "unset" if value is None else _masked(name, str(value)))
        for name, value in settings
    ]


def strangers() -> dict[str, str]:
    """Variables that begin as settings do and are none, each with what may be the matter. (They do
    no harm: whoever names a service `shop` in Kubernetes has some.)"""
    known = {_variable(name) for name in Settings.model_fields} | _ELSEWHERE
    set_somewhere = {name.upper() for name in (*os.environ, *dotenv_values(".env"))}
    found = {}
    for name in sorted(set_somewhere - known):
        if name.startswith(_PREFIX):
            meant = "".join(
                f"; is {near} meant?" for near in get_close_matches(name, known, 1, 0.85)
            )
            found[name] = f"no setting of this release{meant}"
    return found


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


def _masked(name: str, value: str) -> str:
    if name.endswith(("_key", "_secret")):
        return "***"
    value = re.sub(r"(?<=://)([^/:@]*):[^/]*@", r"\1:***@", value)
    return re.sub(r"(?i)([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&]*", r"\1***", value)


def _complaint(error: Any) -> str:
    """One line for one error of pydantic; it never quotes the value, which may hold a password."""
    match error["type"]:
        case "literal_error":
            what = f"this release knows only {error['ctx']['expected']}"
        case "string_pattern_mismatch":
            what = f"must match {error['ctx']['pattern']}"
        case "value_error":
            what = str(error["ctx"]["error"])
        case _ if "timedelta" in error["type"] or "time_delta" in error["type"]:
            what = "is not a length of time such as `30 min`, `1800` (seconds) or `PT30M`"
        case _:
            what = error["msg"][0].lower() + error["msg"][1:]
    return f"{_variable(str(error['loc'][0]))}: {what}"
