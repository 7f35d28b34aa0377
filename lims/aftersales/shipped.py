"""Cards and checklists that come with the product. `lims init` adds those that are missing by their code; what the
laboratory has edited or taken out of use stays as it is.

The rules are those of the works' advice to its users (the fourteen rules of use); limits that stand in them are from
the same text.
"""

# ruff: noqa: E501 - one card or line of a checklist stands in one place in all its languages
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from lims.aftersales.models import AdviceCard, ChecklistItem
from lims.base.actor import Actor
from lims.base.database import transaction
from lims.base.services import SERVICES


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of use in three languages: (title, text) each."""

    name: str
    conditions: str
    categories: str
    en: tuple[str, str]
    zh: tuple[str, str]
    zh_tw: tuple[str, str]


RULES = (
    Rule(
        "use-01", "", "low_strength",
        ("No damp, lumpy cement", "Keep cement dry, off the ground and away from walls. Lumps that do not crush between the fingers have lost strength: do not use them in structural concrete."),
        ("切忌使用受潮结块的水泥", "水泥应防潮存放，离地离墙。手捏不碎的结块已失去强度，不得直接用于结构混凝土。"),
        ("切忌使用受潮結塊的水泥", "水泥應防潮存放，離地離牆。手捏不碎的結塊已失去強度，不得直接用於結構混凝土。"),
    ),
    Rule(
        "use-02", "lot-old", "low_strength,slow_setting",
        ("Older than three months: test before use", "Cement older than three months is tested again before use, or used for a lower strength class."),
        ("存放超过三个月须复检", "存放超过三个月的水泥，须复检合格后使用，或降低强度等级使用。"),
        ("存放超過三個月須複檢", "存放超過三個月的水泥，須複檢合格後使用，或降低強度等級使用。"),
    ),
    Rule(
        "use-03", "", "dusting,cracking",
        ("Clean and dampen the base first", "Sweep the base and wet it through before placing; a dry base sucks the water out of the concrete."),
        ("施工前清扫并湿润基层", "浇筑前清扫基层并充分洒水湿润，干燥的基层会吸走混凝土中的水分。"),
        ("施工前清掃並濕潤基層", "澆置前清掃基層並充分灑水濕潤，乾燥的基層會吸走混凝土中的水分。"),
    ),
    Rule(
        "use-04", "hot-weather", "cracking,dusting",
        ("Cover and water; earlier in hot weather", "Cover after placing and begin watering within about 12 hours, earlier in heat, sun or dry wind. The surface stays wet for the whole curing time."),
        ("覆盖浇水养护，高温时提前", "浇筑后覆盖，一般约12小时内开始浇水；高温、日晒或干热风时须提前，养护期间表面始终保持湿润。"),
        ("覆蓋澆水養護，高溫時提前", "澆置後覆蓋，一般約12小時內開始澆水；高溫、日曬或乾熱風時須提前，養護期間表面始終保持濕潤。"),
    ),
    Rule(
        "use-05", "frost", "low_strength,slow_setting,dusting",
        ("No frost before it has hardened", "Fresh concrete that freezes is destroyed from the surface inwards. Below 5 °C work by the rules of winter construction: warm water, cover, later stripping."),
        ("硬化前不得受冻", "新拌混凝土受冻后由表及里逐渐破坏。气温低于5 °C时按冬期施工要求：热水拌和、覆盖保温、延迟拆模。"),
        ("硬化前不得受凍", "新拌混凝土受凍後由表及裡逐漸破壞。氣溫低於5 °C時按冬季施工要求：熱水拌和、覆蓋保溫、延後拆模。"),
    ),
    Rule(
        "use-06", "hot-weather", "",
        ("Lasting heat needs heat-resistant concrete", "Hardened concrete that stays hot loses strength. Shield it with firebricks, or use heat-resistant concrete with ground slag."),
        ("长期高温须隔热或用耐热混凝土", "硬化后的混凝土长期处于高温会损失强度。应以耐火砖隔热，或掺磨细矿渣配制耐热混凝土。"),
        ("長期高溫須隔熱或用耐熱混凝土", "硬化後的混凝土長期處於高溫會損失強度。應以耐火磚隔熱，或摻磨細爐石配製耐熱混凝土。"),
    ),
    Rule(
        "use-07", "", "rebound,dusting",
        ("Bond needs a firm, rough, clean base", "Roughen smooth bases and brush off dust, oil and grease, then brush on cement paste. On wood, slag or lime soil concrete hollows and cracks."),
        ("基层须坚实、粗糙、洁净", "光滑基层须凿毛，刷净尘垢油污，再刷一层水泥浆。木材、炉渣、灰土垫层上浇筑易空鼓开裂。"),
        ("基層須堅實、粗糙、潔淨", "光滑基層須鑿毛，刷淨塵垢油污，再刷一層水泥漿。木材、爐渣、灰土墊層上澆置易空鼓開裂。"),
    ),
    Rule(
        "use-08", "dirty-aggregate", "low_strength,cracking",
        ("Clean aggregates", "Dust and clay in sand and stone stand between cement and grain and cost strength. Check the mud content before batching."),
        ("骨料须洁净", "砂石含尘土、黏土会隔开水泥与骨料，降低强度。配料前先检查含泥量。"),
        ("骨材須潔淨", "砂石含塵土、黏土會隔開水泥與骨材，降低強度。配料前先檢查含泥量。"),
    ),
    Rule(
        "use-09", "water-above-plan", "low_strength,dusting,cracking",
        ("No more water than compaction needs", "Cement binds about a fifth of its mass in water; the rest leaves pores. Keep to the mix; for a softer concrete use an admixture, not the hose."),
        ("用水量以能振实为限", "水泥水化仅需约其质量20%的水，多余的水蒸发后留下孔隙。应按配合比用水，要更稀请用外加剂，不要加水。"),
        ("用水量以能搗實為限", "水泥水化僅需約其質量20%的水，多餘的水蒸發後留下孔隙。應按配比用水，要更稀請用摻料，不要加水。"),
    ),
    Rule(
        "use-10", "rich-mix", "cracking",
        ("More cement is not stronger", "Too rich a mix shrinks and cracks. For plaster: level with 1:3 to 1:5, then a thin coat of 1:1.5 to 1:2.5."),
        ("水泥不是越多越牢", "水泥用量过多，收缩大，易开裂。抹面先用1:3～1:5砂浆找平，再薄抹一层1:1.5～1:2.5砂浆。"),
        ("水泥不是越多越牢", "水泥用量過多，收縮大，易開裂。抹面先用1:3～1:5砂漿找平，再薄抹一層1:1.5～1:2.5砂漿。"),
    ),
    Rule(
        "use-11", "", "dusting",
        ("Acid grounds need acid-resistant concrete", "Acids swell and break the hardened paste. On acid ground use acid-resistant mortar or slag concrete."),
        ("酸性地面用耐酸混凝土", "酸会与水泥石反应膨胀，使混凝土粉化。酸性地面应采用耐酸砂浆或矿渣混凝土。"),
        ("酸性地面用耐酸混凝土", "酸會與水泥石反應膨脹，使混凝土粉化。酸性地面應採用耐酸砂漿或爐石混凝土。"),
    ),
    Rule(
        "use-12", "", "low_strength",
        ("Mix by weight, compact, cure", "Weigh every material by the mix ratio, compact fully and cure. A ratio by shovel is no ratio."),
        ("按重量配料，振捣密实，养护到位", "各种原材料按配合比称量，振捣密实，及时养护。按锹数配料不算配合比。"),
        ("按重量配料，搗實，養護到位", "各種原材料按配比秤量，搗實，及時養護。按鏟數配料不算配比。"),
    ),
    Rule(
        "use-13", "", "",
        ("Soak tiles for two hours", "Soak tiles for at least two hours, let the surface dry in the shade, and lay them damp."),
        ("瓷砖浸泡两小时以上", "贴瓷砖前须浸泡两小时以上，阴干表面后湿铺。"),
        ("瓷磚浸泡兩小時以上", "貼瓷磚前須浸泡兩小時以上，陰乾表面後濕鋪。"),
    ),
    Rule(
        "use-14", "scale-wrong", "low_strength,slow_setting",
        ("Calibrate scales before the first use", "Check every scale with a known mass before the first batch. A scale that delivers half of what it shows makes bricks that do not set."),
        ("首次使用前标定计量秤", "首次使用前用已知质量标定每台秤。曾有电子秤实际下料仅为显示量的50%，免烧砖48小时不凝固。"),
        ("首次使用前校正計量秤", "首次使用前用已知質量校正每台秤。曾有電子秤實際下料僅為顯示量的50%，免燒磚48小時不凝固。"),
    ),
    Rule(
        "use-shotcrete", "", "rebound",
        ("Spraying", "Clean the wall with water; air at least 9 m³/min at 0.2 to 0.5 MPa, water at the nozzle at least 0.15 MPa, 0.6 to 1 m from the wall and square to it. Test the accelerator with this cement: initial set within 5 min, final within 10. Rebound from a wall at most 20 %. Water for at least 14 days."),
        ("喷射混凝土", "高压水清洗墙面；风量不小于9 m³/min，气压0.2～0.5 MPa，喷头水压不小于0.15 MPa，喷距0.6～1 m，垂直墙面。速凝剂应与本水泥做相容性试验：初凝不大于5 min，终凝不大于10 min。墙面回弹率不宜大于20%。养护不少于14 d。"),
        ("噴凝土", "高壓水清洗牆面；風量不小於9 m³/min，氣壓0.2～0.5 MPa，噴頭水壓不小於0.15 MPa，噴距0.6～1 m，垂直牆面。速凝劑應與本水泥做相容性試驗：初凝不大於5 min，終凝不大於10 min。牆面回彈率不宜大於20%。養護不少於14 d。"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a checklist: the code is category.name, and name is what advice looks for."""

    code: str
    en: str
    zh: str
    zh_tw: str
    unit: str = ""
    least: str = ""
    most: str = ""
    required: bool = False


CHECKS = (
    Check("rebound.percent", "Rebound", "回弹率", "回彈率", "%", most="20", required=True),
    Check("rebound.initial_set_min", "Initial set with the accelerator", "掺速凝剂初凝", "摻速凝劑初凝", "min", most="5", required=True),
    Check("rebound.final_set_min", "Final set with the accelerator", "掺速凝剂终凝", "摻速凝劑終凝", "min", most="10", required=True),
    Check("rebound.air_m3_min", "Air", "风量", "風量", "m³/min", least="9"),
    Check("rebound.air_mpa", "Air pressure", "气压", "氣壓", "MPa", least="0.2", most="0.5"),
    Check("rebound.nozzle_water_mpa", "Water pressure at the nozzle", "喷头水压", "噴頭水壓", "MPa", least="0.15"),
    Check("rebound.distance_m", "Distance to the wall", "喷射间距", "噴射間距", "m", least="0.6", most="1"),
    Check("rebound.other_nozzleman", "Tried with another nozzleman: what happened", "换喷枪手后的情况", "換噴槍手後的情況"),
    Check("rebound.temperature_c", "Temperature", "气温", "氣溫", "°C"),
    Check("cracking.width_mm", "Width of the cracks", "裂缝宽度", "裂縫寬度", "mm", required=True),
    Check("cracking.seen_after_h", "Seen how long after placing", "浇筑后多久出现", "澆置後多久出現", "h", required=True),
    Check("cracking.temperature_c", "Temperature when placed", "浇筑时气温", "澆置時氣溫", "°C", least="5", most="30", required=True),
    Check("cracking.water_used_kg_m3", "Water used", "实际用水量", "實際用水量", "kg/m³"),
    Check("cracking.water_planned_kg_m3", "Water of the mix", "配合比用水量", "配比用水量", "kg/m³"),
    Check("cracking.cement_kg_m3", "Cement used", "水泥用量", "水泥用量", "kg/m³", most="550"),
    Check("cracking.curing_from_h", "Curing began after", "开始养护时间", "開始養護時間", "h", most="12"),
    Check("cracking.base", "Base: dampened, firm, covered", "基层：湿润、坚实、覆膜", "基層：濕潤、堅實、覆膜"),
    Check("slow_setting.final_set_h", "Time until it set", "凝结时间", "凝結時間", "h", required=True),
    Check("slow_setting.scale_true_percent", "Scale: delivered of what it showed", "秤：实际下料占显示量", "秤：實際下料佔顯示量", "%", least="98", most="102", required=True),
    Check("slow_setting.temperature_c", "Temperature", "气温", "氣溫", "°C", least="5", required=True),
    Check("slow_setting.retarder_percent", "Retarder or water reducer", "缓凝剂或减水剂掺量", "緩凝劑或減水劑摻量", "%"),
    Check("slow_setting.cement_kg_m3", "Cement used", "水泥用量", "水泥用量", "kg/m³"),
    Check("slow_setting.water_used_kg_m3", "Water used", "实际用水量", "實際用水量", "kg/m³"),
    Check("slow_setting.water_planned_kg_m3", "Water of the mix", "配合比用水量", "配比用水量", "kg/m³"),
    Check("dusting.depth_mm", "Depth of the dusting", "起砂深度", "起砂深度", "mm", required=True),
    Check("dusting.water_used_kg_m3", "Water used", "实际用水量", "實際用水量", "kg/m³", required=True),
    Check("dusting.water_planned_kg_m3", "Water of the mix", "配合比用水量", "配比用水量", "kg/m³"),
    Check("dusting.temperature_c", "Temperature when placed", "施工时气温", "施工時氣溫", "°C", least="5", most="30"),
    Check("dusting.curing_days", "Days of curing", "养护天数", "養護天數", "d", least="7", required=True),
    Check("dusting.walked_on_h", "Walked on after", "上人时间", "上人時間", "h", least="24"),
    Check("low_strength.found_mpa", "Strength found", "实测强度", "實測強度", "MPa", required=True),
    Check("low_strength.wanted_mpa", "Strength wanted", "设计强度", "設計強度", "MPa", required=True),
    Check("low_strength.scale_true_percent", "Scale: delivered of what it showed", "秤：实际下料占显示量", "秤：實際下料佔顯示量", "%", least="98", most="102", required=True),
    Check("low_strength.water_used_kg_m3", "Water used", "实际用水量", "實際用水量", "kg/m³"),
    Check("low_strength.water_planned_kg_m3", "Water of the mix", "配合比用水量", "配比用水量", "kg/m³"),
    Check("low_strength.cement_kg_m3", "Cement used", "水泥用量", "水泥用量", "kg/m³"),
    Check("low_strength.mud_percent", "Mud in the sand", "砂含泥量", "砂含泥量", "%", most="3"),
    Check("low_strength.temperature_c", "Temperature when placed", "浇筑时气温", "澆置時氣溫", "°C", least="5", most="30"),
    Check("low_strength.specimens", "Specimens: made and cured by whom, how", "试件：由谁制作与养护", "試體：由誰製作與養護"),
)  # fmt: skip


def cards() -> Iterator[dict[str, Any]]:
    """Every shipped card as its schema takes it."""
    for rule in RULES:
        for language, (name, body) in (("en", rule.en), ("zh", rule.zh), ("zh_TW", rule.zh_tw)):
            yield {
                "code": f"{rule.name}-{language}",
                "rule": rule.name,
                "language": language,
                "name": name,
                "body": body,
                "conditions": rule.conditions,
                "categories": rule.categories,
            }


def checklist_items() -> Iterator[dict[str, Any]]:
    """Every shipped line of a checklist."""
    for position, check in enumerate(CHECKS, start=1):
        yield {
            "code": check.code,
            "category": check.code.partition(".")[0],
            "position": position,
            "name_en": check.en,
            "name_zh": check.zh,
            "name_zh_tw": check.zh_tw,
            "unit": check.unit,
            "least": check.least,
            "most": check.most,
            "required": check.required,
        }


def ship(actor: Actor) -> int:
    """Add what is missing. Returns how many were added; running it again adds none."""
    added = 0
    with transaction(actor, "shipped advice and checklists") as session:
        for record, made in ((AdviceCard, cards()), (ChecklistItem, checklist_items())):
            known = set(session.scalars(select(record.code)))
            for data in made:
                if data["code"] not in known:
                    SERVICES[record.record_name].add(data, actor)
                    added += 1
    return added
