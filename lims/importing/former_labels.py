"""What the columns were called before 2026-11-30: sheets that were made from the lists of then are read as ever.

A label that is given another wording is added here, under its template and column.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Template -> column -> its labels of then.
FORMER_LABELS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "history": {
        "specimen_number": ("試件序號",),
        "slag_kg_m3": ("礦渣粉",),
        "other_scm_kg_m3": ("其他摻合料",),
        "other_admixture_kg_m3": ("其他外加劑",),
        "fine_aggregate_kg_m3": ("細骨料",),
    },
    "mixes": {
        "code": ("配合比編號",),
        "slag_kg_m3": ("礦渣粉",),
        "other_scm_kg_m3": ("其他摻合料",),
        "other_admixture_kg_m3": ("其他外加劑",),
        "fine_aggregate_kg_m3": ("細骨料",),
        "slump_mm": ("目標坍落度",),
    },
    "batches": {
        "trial_id": ("試配",),
        "cement_lot_id": ("水泥批次",),
        "aggregate_sample_id": ("骨料樣品",),
        "density_kg_m3": ("拌合物表觀密度",),
        "sampling_plan": ("取樣計劃",),
        "specimens_per_set": ("每組試件數",),
        "fly_ash_lot_id": ("粉煤灰批次",),
        "slag_lot_id": ("矿渣粉批次", "礦渣粉批次"),
        "silica_fume_lot_id": ("硅灰批次", "矽灰批次"),
        "other_scm_lot_id": ("其他矿物掺合料批次", "其他礦物摻合料批次"),
        "superplasticizer_lot_id": ("减水剂批次", "減水劑批次"),
        "other_admixture_lot_id": ("其他外加剂批次", "其他外加劑批次"),
        "answer_lot_too_old": ("超过三个月的批次", "超過三個月的批次"),
        "answer_other_product": ("其他水泥的批次",),
    },
    "breaks": {
        "specimen": ("試件編號",),
        "load_kn": ("破壞荷載",),
    },
    "aggregate-samples": {
        "clay_lumps_percent": ("泥塊含量",),
    },
    "cement-lots": {
        "strength_3d_mpa": ("膠砂 3 d",),
        "strength_28d_mpa": ("膠砂 28 d",),
    },
    "customers": {
        "email": ("電子郵箱",),
    },
}

#: English label of a choice -> what it was called then.
FORMER_CHOICES: Mapping[str, tuple[str, ...]] = {
    "Shotcrete": ("噴射混凝土",),
    "Mixing station": ("攪拌站",),
    "A set for each so many cubic metres": ("每若干立方米一組",),
    "GB 50204: a set for each 100 m³, 200 m³ in one pour above 1000 m³": (
        "GB 50204：每 100 m³ 一組，一次連續澆築超過 1000 m³ 時每 200 m³ 一組",
    ),
}
