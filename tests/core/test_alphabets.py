"""The alphabet of a reply: good sentences of many languages pass as their own, and fail where another script is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.alphabets import LEAST, SCRIPTS, foreign
from gland_assets.core.prompts import LANGUAGES
from gland_assets.core.quality import LIMITS, check
from gland_assets.core.requests import Rejected
from tests.core.test_quality import CODE

SENTENCES = {
    "en": "Explain why the area of a triangle does not change when its top is moved along a line parallel to its base.",
    "fr": "Expliquez pourquoi la somme des angles d’un triangle est égale à deux angles droits, même lorsqu’il est très élevé.",
    "de": "Erkläre, warum eine stetige Funktion auf einem abgeschlossenen Intervall stets ihr größtes und kleinstes Maß annimmt.",
    "vi": "Hãy giải thích vì sao tổng các góc trong một tam giác luôn bằng hai góc vuông, dù tam giác đó lớn hay nhỏ.",
    "ru": "Объясните, почему сумма углов треугольника на плоскости всегда равна двум прямым углам, каким бы он ни был.",
    "uk": "Поясніть, чому сума кутів трикутника на площині завжди дорівнює двом прямим кутам, хоч би яким він був.",
    "el": "Εξηγήστε γιατί το άθροισμα των γωνιών ενός τριγώνου είναι πάντοτε ίσο με δύο ορθές γωνίες στο επίπεδο.",
    "ar": "اشرح لماذا يساوي مجموع زوايا المثلث دائما زاويتين قائمتين مهما كان شكله أو حجمه على السطح المستوي.",
    "he": "הסבירו מדוע סכום הזוויות במשולש שווה תמיד לשתי זוויות ישרות, גדול או קטן ככל שיהיה המשולש במישור.",
    "hi": "समझाइए कि किसी त्रिभुज के तीनों कोणों का योग हमेशा दो समकोण के बराबर क्यों होता है, चाहे वह कितना भी बड़ा हो।",
    "bn": "একটি ত্রিভুজের তিন কোণের সমষ্টি কেন সর্বদা দুই সমকোণের সমান হয়, তা উদাহরণ দিয়ে ব্যাখ্যা করো।",
    "ta": "ஒரு முக்கோணத்தின் மூன்று கோணங்களின் கூடுதல் ஏன் எப்போதும் இரண்டு செங்கோணங்களுக்குச் சமம் என்று விளக்குக.",
    "th": "จงอธิบายว่าเหตุใดผลบวกของมุมภายในของรูปสามเหลี่ยมจึงเท่ากับสองมุมฉากเสมอ ไม่ว่ารูปนั้นจะใหญ่เพียงใด",
    "ka": "ახსენით, რატომ უდრის სამკუთხედის კუთხეების ჯამი ყოველთვის ორ მართ კუთხეს, რა ზომისაც არ უნდა იყოს იგი.",
    "hy": "Բացատրեք, թե ինչու է եռանկյան անկյունների գումարը միշտ հավասար երկու ուղիղ անկյան, ինչպիսին էլ այն լինի",
    "ja": "三角形の内角の和がつねに二直角に等しいのはなぜか、平行線の性質を使って、図を言葉で表しながら説明しなさい。",
    "zh": "请说明为什么平面上任何一个三角形的内角和总是等于两个直角，并用平行线的性质写出完整的证明过程和每一步的理由。",
    "ko": "평면 위의 어떤 삼각형이든 세 내각의 합이 언제나 두 직각과 같은 까닭을 평행선의 성질을 써서 차근차근 설명하시오.",
}
STAGES = sorted(LIMITS)


def seen(text: str, language: str, stage: str = "questions", prompt: str = "A prompt.") -> str | None:
    return foreign(text, language, [prompt], LIMITS[stage].alphabet)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_passes_as_its_own_language_and_not_where_another_script_is_asked_for(language: str, stage: str) -> None:
    assert seen(SENTENCES[language], language, stage) is None
    for other in SENTENCES:
        alike = SCRIPTS[language] & SCRIPTS[other]
        if (language, other) == ("ja", "zh"):
            continue  # how many of its letters are Chinese is up to its words
        assert (seen(SENTENCES[language], other, stage) is None) == bool(alike), other


def test_the_rule_names_what_it_saw() -> None:
    with pytest.raises(Rejected) as rejected:
        check(SENTENCES["ru"], "stop", ["A prompt."], "questions", language="en")
    assert rejected.value.cause == "alphabet"
    assert "0% of its letters are of the alphabet of English; most are Cyrillic" in rejected.value.detail


@pytest.mark.parametrize("language", ["zh", "ja", "ru", "ar", "hi", "ko"])
@pytest.mark.parametrize("stage", STAGES)
def test_code_and_formulas_pass_in_every_language(language: str, stage: str) -> None:
    said = SENTENCES[language]
    formula = r"$$\frac{\partial f}{\partial x} = \lim_{h \to 0} \frac{f(x+h) - f(x)}{h}, \quad \mathrm{where\ everything\ is\ real}$$"
    bare = "def area(base, height):\n    return base * height / 2\n\nfor base in range(10):\n    print(area(base, height=3))"
    for text in (CODE, f"{said}\n{CODE}", f"{said} {formula}", formula, bare, f"{said}\n{bare}", "`merge_sort` と `bubble_sort`"):
        assert seen(text, language, stage) is None, text


def test_words_of_another_script_among_ones_own_pass() -> None:
    assert seen("TensorFlow の tf.data.Dataset と PyTorch の DataLoader は、学習用のデータを少しずつ読み込む仕組みです。", "ja") is None
    assert seen("The Greek word φιλοσοφία joins φίλος, a friend, and σοφία, wisdom; Plato plays on both of them.", "en") is None


def test_a_language_that_the_prompt_calls_by_name_may_be_written() -> None:
    assert seen(SENTENCES["ja"], "en") is not None
    assert seen(SENTENCES["ja"], "en", prompt="Translate into Japanese: explain why the angles add up.") is None


@given(st.text(max_size=300), st.sampled_from(["xx", "tlh", "mul", ""]))
def test_a_language_that_is_not_known_is_not_judged(text: str, language: str) -> None:
    assert seen(text, language) is None


@given(st.text(max_size=LEAST - 1), st.sampled_from(sorted(SCRIPTS)))
def test_a_few_letters_tell_nothing(text: str, language: str) -> None:
    assert seen(text, language) is None


@given(st.text(st.characters(categories=["Nd", "Po", "Sm", "Zs"]), max_size=200), st.sampled_from(sorted(SCRIPTS)))
def test_numbers_and_signs_are_of_every_language(text: str, language: str) -> None:
    assert seen(text, language) is None


@given(st.sampled_from(sorted(SENTENCES)), st.sampled_from(sorted(SENTENCES)), st.text("0123456789 .,;-\n", max_size=40))
def test_what_is_no_letter_changes_no_judgment(of: str, asked: str, more: str) -> None:
    assert (seen(SENTENCES[of] + "\n" + more, asked) is None) == (seen(SENTENCES[of], asked) is None)


def test_every_language_with_a_name_has_its_scripts() -> None:
    assert LANGUAGES.keys() <= SCRIPTS.keys()
    assert seen(SENTENCES["en"], "zh-Hant") is not None and seen(SENTENCES["zh"], "zh-Hant") is None
