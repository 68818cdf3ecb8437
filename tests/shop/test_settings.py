from datetime import timedelta
from pathlib import Path

import pytest

from shop.settings import BadSettings, listing, load, strangers


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, _ in listing(load()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)  # where no .env lies


def test_a_shop_with_nothing_configured_has_every_setting() -> None:
    settings = load()
    assert (settings.mongodb_url, settings.redis_url) == (None, None)
    assert settings.data_dir == Path("var")
    assert settings.mongodb_prefix == "shop"
    assert settings.currency == "EUR"
    assert settings.transport == "inprocess"
    assert settings.order_expiry == settings.reservation_ttl == timedelta(minutes=30)


def test_what_is_no_setting_is_told_with_what_may_be_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert strangers() == {}
    monkeypatch.setenv("SHOP_MONGO_URL", "mongodb://db")
    monkeypatch.setenv("SHOP_PORT", "tcp://10.0.0.1:8000")  # as Kubernetes sets for a service
    monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:8000")  # an option of `shop drive`
    monkeypatch.setenv("SHOPPER", "ada")
    (tmp_path / ".env").write_text("SHOP_CURRENCY=CHF\nSHOP_CURENCY=EUR\n")
    assert strangers() == {
        "SHOP_CURENCY": "no setting of this release; is SHOP_CURRENCY meant?",
        "SHOP_MONGO_URL": "no setting of this release; is SHOP_MONGODB_URL meant?",
        "SHOP_PORT": "no setting of this release",
    }


def test_the_default_tariff_is_the_designs() -> None:
    settings = load()
    assert (settings.tariff_threshold, settings.tariff_free_distance_m) == (500_00, 30_000)
    assert (settings.tariff_base, settings.tariff_flat) == (50_00, 50_00)
    assert settings.tariff_per_km == 15_00


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30 min", timedelta(minutes=30)),
        ("45", timedelta(seconds=45)),
        ("0.5s", timedelta(seconds=0.5)),
        ("90 Seconds", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1.5 hours", timedelta(minutes=90)),
        ("2 days", timedelta(days=2)),
        ("PT20M", timedelta(minutes=20)),
        ("01:30:00", timedelta(minutes=90)),
    ],
)
def test_a_length_of_time_is_read_as_people_write_it(
    monkeypatch: pytest.MonkeyPatch, text: str, length: timedelta
) -> None:
    monkeypatch.setenv("SHOP_ORDER_EXPIRY", text)
    assert load().order_expiry == length


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SHOP_ORDER_EXPIRY", "soon", "`30 min`"),
        ("SHOP_ORDER_EXPIRY", "999999999999999999d", "`30 min`"),
        ("SHOP_RESERVATION_TTL", "0", "longer than nothing"),
        ("SHOP_RESERVATION_TTL", "99999999 days", "a year"),
        ("SHOP_CURRENCY", "euro", "ISO 4217"),
        ("SHOP_CURRENCY", "XAU", "a minor unit"),
        ("SHOP_MONGODB_PREFIX", "a/b", "must match"),
        ("SHOP_MONGODB_PREFIX", "a\n", "must match"),
        ("SHOP_MONGODB_URL", "http://db", "mongodb://host:27017"),
        ("SHOP_MONGODB_URL", "mongodb://db:port", "mongodb://host:27017"),
        ("SHOP_REDIS_URL", "localhost:6379", "redis://host:6379/0"),
        ("SHOP_REDIS_URL", "redis://cache:port", "redis://host:6379/0"),
        ("SHOP_PAYMENT_GATEWAY", "paypal", "knows only 'builtin' or 'stripe'"),
        ("SHOP_STRIPE_API_KEY", "sk_test s3cret", "must match"),
        ("SHOP_STRIPE_API_BASE", "api.stripe.com", "https://host"),
        ("SHOP_STRIPE_RETURN_URL", "javascript:alert(1)", "https://host"),
        ("SHOP_JWT_ISSUER", 'https://"issuer"', "must match"),
        ("SHOP_JWT_LIFETIME", "0", "longer than nothing"),
        ("SHOP_ROUTER", "valhalla", "knows only 'builtin', 'osrm' or 'google'"),
        ("SHOP_OSRM_URL", "osrm:5000", "https://host"),
        ("SHOP_OSRM_URL", "http://osrm:s3cret", "https://host"),
        ("SHOP_GEOCODER", "photon", "knows only 'builtin', 'nominatim' or 'google'"),
        ("SHOP_NOMINATIM_URL", "nominatim", "https://host"),
        ("SHOP_NOMINATIM_PER_SECOND", "0", "greater than or equal to 1"),
        ("SHOP_NOMINATIM_USER_AGENT", "a\r\nb", "must match"),
        ("SHOP_GOOGLE_API_KEY", "AIza s3cret", "must match"),
        ("SHOP_GOOGLE_API_BASE", "maps.example", "https://host"),
        ("SHOP_TRANSPORT", "nats", "knows only 'inprocess' or 'loopback'"),
        ("SHOP_TIME_ZONE", "Vaduz", "Vaduz is no IANA time zone: write Europe/Zurich"),
        ("SHOP_SLOT_HORIZON", "90 days", "60 days"),
        ("SHOP_SLOT_LEAD", "-1", "`30 min`"),
        ("SHOP_SLOT_LEAD", "7 days", "must be shorter than SHOP_SLOT_HORIZON"),
        ("SHOP_PUBLIC_URL", "shop.example", "https://host"),
        ("SHOP_TRACKING_LIFETIME", "400 days", "a year"),
        ("SHOP_TRACKING_EMBED", "https://shop.example/path", "https://shop.example"),
        ("SHOP_TRACKING_EMBED", "*; script-src *", "https://shop.example"),
        ("SHOP_TILES_URL", "https://tiles.example/{z}/{x}.png", "{z}/{x}/{y}.png"),
        ("SHOP_TILES_URL", "https://tiles.example/{z}/{x}/{y}.png; x", "{z}/{x}/{y}.png"),
        ("SHOP_TILES_URL", "tiles/{z}/{x}/{y}.png", "https://host"),
        ("SHOP_WEBHOOKS_ALLOW_PRIVATE", "perhaps", "valid boolean"),
        ("SHOP_TARIFF_BASE", "-1", "whole number"),
        ("SHOP_TARIFF_PER_KM", "15.00", "whole number"),
        ("SHOP_TARIFF_TABLE", "nowhere.toml", "nowhere.toml cannot be read: No such file"),
        ("SHOP_TARIFF", "parcel", "parcel is no tariff of SHOP_TARIFF_TABLE; there are default"),
    ],
)
def test_a_wrong_setting_is_named_on_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as refused:
        load()
    message = str(refused.value)
    assert message.startswith(f"{name}: ")
    assert says in message
    assert "\n" not in message


def test_a_tariff_of_a_table_is_chosen_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tariffs.toml").write_text("[parcel]\nbands = [{ base = 490 }]\n[hills]\nbase = 1\n")
    monkeypatch.setenv("SHOP_TARIFF_TABLE", "tariffs.toml")
    assert load().tariff == "default"
    for name in ("zone", "parcel", "hills"):
        monkeypatch.setenv("SHOP_TARIFF", name)
        assert load().tariff == name
    monkeypatch.setenv("SHOP_TARIFF", "valley")
    with pytest.raises(BadSettings, match="there are default, zone, parcel, hills"):
        load()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[parcel", "it is no TOML"),
        (
            b"[parcel]\nbands = [{ base = 4.90 }]",
            "parcel.bands.0.base: Input should be a valid int",
        ),
        (b"\xff\xfe", "is not a text file in UTF-8"),
    ],
)
def test_a_bad_table_of_tariffs_is_named_on_one_line(
    monkeypatch: pytest.MonkeyPatch, content: bytes, complaint: str
) -> None:
    Path("tariffs.toml").write_bytes(content)
    monkeypatch.setenv("SHOP_TARIFF_TABLE", "tariffs.toml")
    monkeypatch.setenv("SHOP_TARIFF", "parcel")
    with pytest.raises(BadSettings) as refused:
        load()
    assert str(refused.value).startswith("SHOP_TARIFF_TABLE: tariffs.toml")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_CURRENCY", "€")
    monkeypatch.setenv("SHOP_ROUTER", "compass")
    with pytest.raises(BadSettings, match=r"SHOP_CURRENCY: .*; SHOP_ROUTER: "):
        load()


def test_stripe_needs_its_secrets_and_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().stripe_api_base == "https://api.stripe.com"
    monkeypatch.setenv("SHOP_PAYMENT_GATEWAY", "stripe")
    with pytest.raises(BadSettings) as refused:
        load()
    first, second = str(refused.value).split("; ")
    assert first.startswith("SHOP_STRIPE_API_KEY: SHOP_PAYMENT_GATEWAY=stripe needs it")
    assert second.startswith("SHOP_STRIPE_WEBHOOK_SECRET: SHOP_PAYMENT_GATEWAY=stripe needs it")
    monkeypatch.setenv("SHOP_STRIPE_API_KEY", "sk_test_s3cret")
    monkeypatch.setenv("SHOP_STRIPE_WEBHOOK_SECRET", "whsec_s3cret")
    settings = load()
    shown = dict(listing(settings))
    assert shown["SHOP_STRIPE_API_KEY"] == shown["SHOP_STRIPE_WEBHOOK_SECRET"] == "***"
    assert "s3cret" not in f"{shown} {settings!r}"


@pytest.mark.parametrize(
    ("choice", "by", "needs", "value"),
    [
        ("SHOP_ROUTER", "osrm", "SHOP_OSRM_URL", "http://127.0.0.1:5000"),
        ("SHOP_ROUTER", "google", "SHOP_GOOGLE_API_KEY", "AIza-s3cret"),
        ("SHOP_GEOCODER", "google", "SHOP_GOOGLE_API_KEY", "AIza-s3cret"),
        ("SHOP_GEOCODER", "nominatim", "SHOP_NOMINATIM_URL", "https://maps.example/nominatim"),
    ],
)
def test_a_map_needs_its_address_or_its_key_and_the_built_in_ones_neither(
    monkeypatch: pytest.MonkeyPatch, choice: str, by: str, needs: str, value: str
) -> None:
    load()
    monkeypatch.setenv(choice, by)
    with pytest.raises(BadSettings, match=f"^{needs}: {choice}={by} needs it: [^;]*$"):
        load()
    monkeypatch.setenv(needs, value)
    shown = dict(listing(load()))
    assert shown[choice] == by
    assert "s3cret" not in str(shown)


ISSUER = {
    "SHOP_JWT_ISSUER": "https://issuer.example/",
    "SHOP_JWT_AUDIENCE": "https://shop.example",
    "SHOP_JWT_JWKS": "https://issuer.example/jwks.json",
}


@pytest.mark.parametrize("missing", ISSUER)
def test_an_issuer_is_trusted_with_all_that_it_takes_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name, value in ISSUER.items():
        monkeypatch.setenv(name, value)
    assert load().jwt_audience == "https://shop.example"
    monkeypatch.delenv(missing)
    with pytest.raises(BadSettings, match="SHOP_JWT_ISSUER") as refused:
        load()
    named = set(ISSUER) - {"SHOP_JWT_ISSUER"}
    wrong = named if missing == "SHOP_JWT_ISSUER" else {missing}
    assert {part.partition(":")[0] for part in str(refused.value).split("; ")} == wrong


@pytest.mark.parametrize(
    ("source", "fits"),
    [
        ("/etc/shop/jwks.json", True),
        ("http://127.0.0.1:8080/jwks", True),
        ("http://localhost/jwks", True),
        ("http://issuer.example/jwks", False),
        ("ftp://issuer.example/jwks", False),
    ],
)
def test_an_issuers_keys_come_by_a_way_that_nobody_can_change(
    monkeypatch: pytest.MonkeyPatch, source: str, fits: bool
) -> None:
    for name, value in {**ISSUER, "SHOP_JWT_JWKS": source}.items():
        monkeypatch.setenv(name, value)
    if fits:
        assert load().jwt_jwks == source
        return
    with pytest.raises(BadSettings, match=r"^SHOP_JWT_JWKS: must (be|look like) https://"):
        load()


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_MONGODB_URL", "")
    assert load().mongodb_url is None


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("SHOP_CURRENCY=CHF\nSHOP_MONGODB_PREFIX=file\nOTHER=1\n")
    monkeypatch.setenv("SHOP_MONGODB_PREFIX", "variable")
    settings = load()
    assert (settings.currency, settings.mongodb_prefix) == ("CHF", "variable")


def test_an_env_file_that_is_not_text_is_refused() -> None:
    Path(".env").write_bytes(b"SHOP_CURRENCY=\xff\xfe")
    with pytest.raises(BadSettings, match=r"\.env file"):
        load()


@pytest.mark.parametrize(
    ("name", "url", "shown"),
    [
        (
            "SHOP_MONGODB_URL",
            "mongodb://shop:s3cret@a:1,b:2/?tlsCertificateKeyFilePassword=s3cret&w=1",
            "mongodb://shop:***@a:1,b:2/?tlsCertificateKeyFilePassword=***&w=1",
        ),
        ("SHOP_MONGODB_URL", "mongodb+srv://shop:s3cret@db", "mongodb+srv://shop:***@db"),
        ("SHOP_MONGODB_URL", "mongodb://db:27017/?w=1", "mongodb://db:27017/?w=1"),
        ("SHOP_REDIS_URL", "rediss://:s3cret@cache:6379/0", "rediss://:***@cache:6379/0"),
        ("SHOP_REDIS_URL", "redis://cache?password=s3cret", "redis://cache?password=***"),
    ],
)
@pytest.mark.filterwarnings("ignore:TLS certificate")
def test_no_password_is_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, shown: str
) -> None:
    monkeypatch.setenv(name, url)
    settings = load()
    assert dict(listing(settings))[name] == shown
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("name", ["SHOP_MONGODB_URL", "SHOP_REDIS_URL"])
def test_a_refused_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://shop:s3cret@db")
    with pytest.raises(BadSettings) as refused:
        load()
    assert "s3cret" not in str(refused.value)
