"""Raw numbers to one form: what trunks, clerks and attackers write, and what must come of it."""

import dataclasses
import string
import time

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi.numbers import Kind, Number, Numbers, spaced

RU = Numbers("RU", r"^\d{2,4}$")
UA = Numbers("UA", r"^\d{2,4}$")
DE = Numbers("DE", r"^\d{2,4}$")
US = Numbers("US", r"^\d{2,4}$")
PL = Numbers("PL", r"^\d{2,4}$")
PREFIXED = Numbers("RU", r"^\d{2,5}$", prefixes=("9", "*31#", ""))


# -- numbers of the default country -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        "+79161234567",
        "79161234567",
        "89161234567",
        "9161234567",
        "8 (916) 123-45-67",
        "8(916)1234567",
        "+7 (916) 123 45 67",
        "(+7) 916.123.45.67",
        "+7 8 916 123-45-67",
        "+8 (916) 123-45-67",
        "++7 916 123 45 67",
        "0079161234567",
        "8107 916 123 45 67",
        "tel:+7-916-123-45-67",
        "TEL:89161234567;ext=12",
        "tel:9161234567;phone-context=+7",
        "sip:+79161234567@trunk.example:5060;user=phone",
        "sip:%2B79161234567@10.0.0.1",
        "sips:89161234567@trunk.example",
        "79161234567@trunk.example",
        '"Ivan" <sip:+79161234567@trunk.example>',
        "<89161234567>",
        "'89161234567'",
        "89161234567;npdi;rn=+79160000000",
        "89161234567 доб. 123",
        "89161234567 ext 12",
        "89161234567x12",
        "89161234567,,12",
        "89161234567#",
        "8 (916) 123-45-67 abж",
        "8(916)123-45-67 мама",
        "８（９１６）１２３－４５－６７",
        "＋７９１６１２３４５６７",
        "٨٩١٦١٢٣٤٥٦٧",
        "۸۹۱۶۱۲۳۴۵۶۷",
        "\u202a+7\u00a0916\u00a0123\u201145\u201167\u202c",
        "\ufeff8–916–123–45—67",
        "  \t89161234567 ",
    ],
)
def test_every_spelling_of_a_national_number_is_the_same_number(raw: str) -> None:
    assert RU.parse(raw) == Number(raw, Kind.E164, "+79161234567", "RU")


@pytest.mark.parametrize(
    ("numbers", "raw", "value"),
    [
        (UA, "380671234567", "+380671234567"),
        (UA, "0671234567", "+380671234567"),
        (UA, "067 123-45-67", "+380671234567"),
        (UA, "671234567", "+380671234567"),
        (DE, "4930123456", "+4930123456"),
        (DE, "030/123456", "+4930123456"),
        (DE, "+49 (0) 30 123456", "+4930123456"),
        (DE, "30123456", "+4930123456"),
        (US, "(212) 555-2368", "+12125552368"),
        (US, "12125552368", "+12125552368"),
        (PL, "48123456789", "+48123456789"),
        (PL, "12 345 67 89", "+48123456789"),
    ],
)
def test_each_country_by_its_own_plan(numbers: Numbers, raw: str, value: str) -> None:
    assert numbers.parse(raw).e164 == value


def test_the_country_of_a_shared_code_is_told() -> None:
    assert RU.parse("87012345678") == Number("87012345678", Kind.E164, "+77012345678", "KZ")


def test_a_new_range_that_the_metadata_does_not_know_is_still_a_number() -> None:
    number = phonenumbers.parse("+74501234567")
    assert not phonenumbers.is_valid_number(number)
    assert RU.parse("8 450 123-45-67").value == "+74501234567"
    assert RU.parse("+74501234567").value == "+74501234567"


# -- numbers of other countries ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "raw", "value"),
    [
        (RU, "380671234567", "+380671234567"),
        (RU, "00380671234567", "+380671234567"),
        (RU, "810380671234567", "+380671234567"),
        (RU, "14155552671", "+14155552671"),
        (RU, "442071838750", "+442071838750"),
        (RU, "+3905551234", "+3905551234"),
        (UA, "79161234567", "+79161234567"),
        (DE, "79161234567", "+79161234567"),
        (DE, "0079161234567", "+79161234567"),
        (US, "011 44 20 7183 8750", "+442071838750"),
        (PL, "4520123456", "+4520123456"),
    ],
)
def test_a_foreign_number_is_known_with_and_without_its_plus(numbers: Numbers, raw: str, value: str) -> None:
    assert numbers.parse(raw).e164 == value


def test_what_may_be_national_is_never_read_as_foreign() -> None:
    # +45 20123456 is Danish, but ten digits that begin with 3, 4, 8 or 9 are a Russian number.
    assert RU.parse("+4520123456").region == "DK"
    assert RU.parse("4520123456").value == "+74520123456"


@pytest.mark.parametrize("raw", ["493511234", "683-40-02", "376312345"])
def test_a_number_that_lacks_digits_does_not_become_a_foreign_one(raw: str) -> None:
    assert phonenumbers.is_valid_number(phonenumbers.parse("+" + raw))
    assert RU.parse(raw).kind is Kind.INVALID


# -- withheld ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "   ",
        "<>",
        '""',
        "anonymous",
        "Anonymous",
        "ANONYMOUS",
        "anonymous@anonymous.invalid",
        "sip:anonymous@anonymous.invalid",
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        "sip:192.0.2.1",
        "unavailable",
        "unknown",
        "<unknown>",
        "restricted",
        "private",
        "Private number",
        "withheld",
        "asterisk",
        "+anonymous",
    ],
)
def test_a_withheld_number_has_no_value(raw: str | None) -> None:
    assert RU.parse(raw) == Number(raw or "", Kind.WITHHELD, "")


@pytest.mark.parametrize("presentation", [32, 33, 34, 35, 64, 67, 96])
def test_presentation_prohibited_withholds_a_number_that_came(presentation: int) -> None:
    number = RU.parse("+79161234567", presentation=presentation)
    assert number == Number("+79161234567", Kind.WITHHELD, "")
    assert number.e164 is None


@pytest.mark.parametrize("presentation", [0, 1, 2, 3, 128])
def test_presentation_allowed_withholds_nothing(presentation: int) -> None:
    assert RU.parse("+79161234567", presentation=presentation).kind is Kind.E164


# -- internal extensions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", ["101", " 101 ", "sip:101@pbx.example", "<101>", "１０１", "tel:101"])
def test_an_extension_by_the_pattern(raw: str) -> None:
    assert RU.parse(raw) == Number(raw, Kind.INTERNAL, "101")


@pytest.mark.parametrize("raw", ["+101", "1-01", "101abc", "alice101", "101 102", "10101", "1", "²³"])
def test_only_bare_digits_are_an_extension(raw: str) -> None:
    assert RU.parse(raw).kind is Kind.INVALID


def test_the_pattern_sees_no_long_text() -> None:
    hopeless = Numbers("RU", r"^(\d+)+x$")
    started = time.process_time()
    assert hopeless.parse("1" * 60).kind is Kind.INVALID
    assert time.process_time() - started < 1


# -- prefixes of trunks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        ("989161234567", Kind.E164, "+79161234567"),
        ("9 8 (916) 123-45-67", Kind.E164, "+79161234567"),
        ("9+79161234567", Kind.E164, "+79161234567"),
        ("9161234567", Kind.E164, "+79161234567"),
        ("*31#89161234567", Kind.E164, "+79161234567"),
        ("*31#101", Kind.INTERNAL, "101"),
        ("901", Kind.INTERNAL, "901"),
        ("9 10101", Kind.INTERNAL, "10101"),
        ("9", Kind.INVALID, ""),
    ],
)
def test_a_prefix_is_taken_off_where_a_number_is_left(raw: str, kind: Kind, value: str) -> None:
    number = PREFIXED.parse(raw)
    assert (number.kind, number.value) == (kind, value)


def test_what_is_said_to_be_a_prefix_is_no_access_code() -> None:
    numbers = Numbers("RU", r"^\d{2,4}$", prefixes=["00"])
    assert numbers.parse("0089161234567").value == "+79161234567"
    assert numbers.parse("00380671234567").value == "+380671234567"
    assert numbers.parse("004951234567").value == "+74951234567"
    assert RU.parse("004951234567").value == "+4951234567"


# -- no number --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        "0",
        "00000000000",
        "+",
        "+0",
        "+7",
        "+79",
        "+791612345678901",
        "79161234567890",
        "+7 123 456 78 90",
        "2-34-56",
        "alice",
        "alice2",
        "call 89161234567",
        "*31#89161234567",
        "8+9161234567",
        "7\n9161234567",
        "8916 1234567, 8917 7654321",
        "8(916)123-45-67 мама; 89177654321",
        "8 450 123-45-67 мама",
        "tel:4951234567;phone-context=+1",
        "9" * 26,
        "+883",
        "+8009",
    ],
)
def test_what_is_no_number(raw: str) -> None:
    assert RU.parse(raw) == Number(raw, Kind.INVALID, "")


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(ValueError, match="XX"):
        Numbers("XX", "^$")


@pytest.mark.parametrize(
    "piece", ["9", "<", "(", "+", " ", ";phone-context=+", "<9>", "٩", "%39", "a@", "sip:"]
)
def test_kilobytes_are_refused_at_once(piece: str) -> None:
    started = time.process_time()
    for length in (79, 254, 255, 256, 1000, 100_000):
        raw = (piece * length)[:length]
        number = RU.parse(raw)
        assert number.raw == raw
        assert RU.skip(raw) is False
    assert time.process_time() - started < 1
    assert RU.parse(piece * 300).e164 is None


def test_what_is_remembered_is_bounded() -> None:
    numbers = Numbers("RU", r"^\d{2,4}$")
    for suffix in range(100):
        numbers.parse(f"+7916{suffix:07d}" + " " * 300)
    assert numbers._remembered.cache_info().currsize == 0
    assert numbers._remembered.cache_info().maxsize == 16_384


# -- numbers to leave alone -------------------------------------------------------------------------------


def test_skip_is_asked_of_the_raw_number() -> None:
    numbers = Numbers("RU", r"^\d{2,4}$", skip=[r"^8800", r"^alarm-"])
    assert numbers.skip(" 88001234567")
    assert numbers.skip("alarm-17")
    assert not numbers.skip("+78001234567")
    assert not RU.skip("88001234567")


def test_a_pattern_to_skip_sees_no_long_text() -> None:
    assert not Numbers("RU", "^$", skip=[r"^(9+)+x$"]).skip("9" * 80)


# -- properties -------------------------------------------------------------------------------------------

CONFIGURATIONS = st.sampled_from([RU, UA, DE, US, PL, PREFIXED])
NUMBERLIKE = st.text(alphabet=string.digits + "+-() .;,<>@:*#xa٩９", max_size=40)


@given(numbers=CONFIGURATIONS, raw=st.text(max_size=300) | NUMBERLIKE, presentation=st.integers())
@settings(deadline=None)
def test_nothing_raises_and_every_value_reads_the_same_again(
    numbers: Numbers, raw: str, presentation: int
) -> None:
    numbers.skip(raw)
    spaced(raw)
    assert numbers.parse(raw, presentation=presentation).raw == raw
    number = numbers.parse(raw)
    assert (number.value == "") == (number.kind in (Kind.INVALID, Kind.WITHHELD))
    if number.value:
        again = numbers.parse(number.value)
        assert (again.kind, again.value, again.region) == (number.kind, number.value, number.region)
        assert numbers.parse(spaced(number.value)).value == number.value


@given(numbers=CONFIGURATIONS, digits=st.text(alphabet=string.digits, min_size=3, max_size=18))
@settings(deadline=None)
def test_digits_keep_their_end(numbers: Numbers, digits: str) -> None:
    """Whatever the reading, it takes at most a prefix off the front or adds a code: the rest stays."""
    value = numbers.parse(digits).value
    assert not value or any(value.endswith(digits[front:]) for front in range(min(6, len(digits) - 1)))


COUNTRIES = ["RU", "UA", "KZ", "BY", "DE", "PL", "GB", "US", "FR", "IT", "ES", "TR", "IL", "UZ", "AT", "CZ"]


@st.composite
def valid_numbers(draw: st.DrawFn) -> phonenumbers.PhoneNumber:
    """A valid number: an example of its country with other last digits."""
    region = draw(st.sampled_from(COUNTRIES))
    kind = draw(
        st.sampled_from([phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE])
    )
    example = phonenumbers.example_number_for_type(region, kind)
    end = draw(st.text(alphabet=string.digits, min_size=4, max_size=4))
    text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[:-4] + end
    number = phonenumbers.parse(text)
    return number if phonenumbers.is_valid_number(number) else example


@given(numbers=CONFIGURATIONS, number=valid_numbers(), data=st.data())
@settings(deadline=None)
def test_international_spellings_find_their_owner_from_everywhere(
    numbers: Numbers, number: phonenumbers.PhoneNumber, data: st.DataObject
) -> None:
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    international = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    rfc3966 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.RFC3966)
    spellings = [
        e164,
        "00" + e164[1:],
        international,
        rfc3966,
        f"sip:{e164}@trunk.example",
        f"{international} (мама)",
        international.replace(" ", "\u00a0").replace("-", "\u2011"),
    ]
    assert numbers.parse(data.draw(st.sampled_from(spellings))).value == e164


@given(number=valid_numbers())
@settings(deadline=None)
def test_national_spellings_find_their_owner_at_home(number: phonenumbers.PhoneNumber) -> None:
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    home = Numbers(phonenumbers.region_code_for_number(number), r"^\d{2,4}$")
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    assert home.parse(national).value == e164
    assert home.parse(e164[1:]).value == e164


def without_short_cut(region: str) -> Numbers:
    """Numbers that read everything the long way, through phonenumbers."""
    numbers = Numbers(region, r"^\d{2,4}$")
    numbers._plan = dataclasses.replace(numbers._plan, common=None, dialled=None)
    return numbers


BOTH_WAYS = {region: (Numbers(region, r"^\d{2,4}$"), without_short_cut(region)) for region in COUNTRIES}


@given(region=st.sampled_from(COUNTRIES), number=valid_numbers(), data=st.data())
@settings(deadline=None)
def test_the_short_cut_for_ordinary_numbers_changes_nothing(
    region: str, number: phonenumbers.PhoneNumber, data: st.DataObject
) -> None:
    short, long = BOTH_WAYS[region]
    national = phonenumbers.national_significant_number(number)
    code, prefix = data.draw(st.sampled_from([(short._plan.code, short._plan.prefix), ("", "")]))
    front = data.draw(
        st.sampled_from(["+" + code, code, prefix, "00" + code, "+" + code + prefix, "0", "8", ""])
    )
    kept = data.draw(st.integers(0, len(national)))
    raw = front + national[:kept] + data.draw(st.text(alphabet=string.digits, max_size=9))
    assert short.parse(raw) == long.parse(raw)


@pytest.mark.parametrize(
    "raw", ["+79161234567", "79161234567", "89161234567", "+74951234567", "8 (495) 123-45-67"]
)
def test_an_ordinary_number_takes_the_short_cut(raw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phonenumbers, "parse", None)
    assert Numbers("RU", r"^\d{2,4}$").parse(raw).kind is Kind.E164


# -- for people -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("+79161234567", "+7 916 123-45-67"),
        ("+380671234567", "+380 67 123 4567"),
        ("101", "101"),
        ("", ""),
        ("+", "+"),
        ("+0", "+0"),
        ("<b>+7</b>", "<b>+7</b>"),
    ],
)
def test_a_number_as_people_read_it(value: str, shown: str) -> None:
    assert spaced(value) == shown
