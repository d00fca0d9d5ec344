"""The root taxonomy: what it promises to hold."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from gland_assets.core.project import LOCAL_MODEL, Project
from gland_assets.io.project import load_project

ROOT = Path(__file__).parent.parent / "taxonomy.toml"
PRINTED = """
Advertising; Aerospace industry; Agriculture; American history; American politics; Anthropology; Applied mathematics; Archaeology;
Architecture and design; Astronomy; Automotive industry; Biblical studies; Biology; Business; Chemical Engineering; Chemistry; Civil
Engineering; Clinical laboratory sciences; Clinical neuropsychology; Clinical physiology; Communication studies; Computer science;
Cultural industry; Dance; Dentistry; Dermatology; Divinity; Earth science; Economics; Education; Education industry; Electric power
industry; Electrical Engineering; Emergency medicine; Energy industry; Environmental studies and forestry; Epidemiology; European
history; Fashion; Film; Film industry; Fishing industry; Floral; Food industry; Foreign policy; Geography; Geriatrics; Gynaecology;
Healthcare industry; Hematology; History; Holistic medicine; Hospitality industry; Housing; Industrial robot industry; Infectious
disease; Insurance industry; Intensive care medicine; Internal medicine; Journalism; Languages and literature; Law; Leisure industry;
Library and museum studies; Linguistics; Logic; Materials Science and Engineering; Mathematics; Mechanical Engineering; Medical
toxicology; Medicine; Military sciences; Mining; Music; Music industry; Nursing; Nutrition; Obstetrics; Ophthalmology; Otolaryngology;
Pathology; Pediatrics; Performing arts; Petroleum industry; Pharmaceutical industry; Pharmaceutical sciences; Philosophy; Physics;
Political science; Prehistory; Preventive medicine; Psychiatry; Psychology; Public administration; Public health; Public policy; Pulp
and paper industry; Radiology; Real estate industry; Religious Studies; Retail industry; Semiconductor industry; Sexology;
Shipbuilding industry; Social work; Sociology; Steel industry; Surgery; Systems science; Telecommunications industry; Television;
Textile industry; Theatre; Theology; Tobacco industry; Transport industry; Transportation; Urology; Veterinary medicine; Video game
industry; Visual arts; Water industry; Wood industry
"""
"""The disciplines named in Table 8 of arXiv 2402.13064."""
NAMES = {" ".join(name.split()) for name in PRINTED.split(";")}


@pytest.fixture(scope="module")
def root() -> Project:
    return load_project(ROOT)


def test_its_size(root: Project) -> None:
    assert len(root.fields) == 14
    assert sum(len(top.subfields) for top in root.fields) == 42
    assert len(list(root.disciplines())) == 218


def test_every_discipline_the_paper_prints_is_there_and_says_so(root: Project) -> None:
    assert len(NAMES) == 123
    assert {d.name for d in root.disciplines() if "glan" in d.sources} == NAMES


def test_no_name_stands_twice(root: Project) -> None:
    count = Counter(d.name.casefold() for d in root.disciplines())
    assert [name for name, times in count.items() if times > 1] == []


def test_no_subfield_has_one_discipline_without_a_reason(root: Project) -> None:
    alone = [sub.slug for top in root.fields for sub in top.subfields if len(sub.disciplines) < 2 and not sub.note]
    assert alone == []


def test_slugs_are_in_shape(root: Project) -> None:
    slugs = (
        [d.slug for d in root.disciplines()]
        + [sub.slug for top in root.fields for sub in top.subfields]
        + [top.slug for top in root.fields]
    )
    assert [slug for slug in slugs if not re.fullmatch("[a-z0-9-]{1,80}", slug)] == []


def test_every_discipline_says_where_its_name_comes_from(root: Project) -> None:
    assert [d.slug for d in root.disciplines() if not d.sources] == []
    assert {source for d in root.disciplines() for source in d.sources if not re.fullmatch(r"isced-f:[0-9]{4}", source)} == {
        "glan",
        "added",
    }


def test_it_can_be_built_as_it_stands(root: Project) -> None:
    assert {root.preferred(d, stage).model for d in root.disciplines() for stage in d.settings.stages} == {LOCAL_MODEL}


def test_the_provider_blocks_load_once_uncommented(tmp_path: Path) -> None:
    text = ROOT.read_text(encoding="utf-8")
    path = tmp_path / "taxonomy.toml"
    path.write_text(re.sub(r"(?m)^# (?=\[[a-z.0-9]+\]$|[a-z_]+ = )", "", text), encoding="utf-8")
    project = load_project(path)
    assert set(project.deployments) == {"openai", "azure", "anthropic", "ollama", "vllm"}
    assert next(project.disciplines()).settings.stages["subjects"].models == ("openai", "anthropic")
    assert project.deployments["openai"].identity == project.deployments["azure"].identity
    assert project.budget.usd == 100 and [declared.name for declared in project.decontaminate] == ["gsm8k", "mmlu"]
