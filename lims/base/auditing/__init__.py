"""The record of changes: the database captures, the application seals, outsiders hold anchors.

    audit_transactions   one row a transaction that changed something, written as its last act
        id        n, from 1 without gaps, in the order of commit
        txid      names the transaction in audit_entries; its entries all have seq > txid
        actor     `user:7`, `system:import`: a pseudonym; names live in ab_user and can be erased
        at        UTC
        reason    as given to transaction(); "" when there was none
        source    the endpoint that wrote (`BatchView.add`), "" for commands and jobs
        entries   how many rows changed
        root      RFC 6962 Merkle root over the context (leaf 0) and the entries in order of seq
        previous  hash of transaction n - 1 (64 zeros for the first)
        hash      SHA-256(0x02 | n | previous | root)
        leaves    the entries' leaf hashes, 32 bytes each: with the root they prove which single entry was altered
    audit_entries        one row a changed row, written by triggers (triggers.py) whatever the way in
        seq, txid
        op          I insert, U update, D delete, B baseline (the row as it stood when capture of it began)
        table_name
        pk          the row's id; a JSON array where the key has several columns
        payload     JSON. I, B and D: the whole row {"column": value}; U: what changed {"column": [before, after]}

Values are as stored: on SQLite exact decimals are integers scaled by 10**places and times are UTC without a zone, on
PostgreSQL decimals are numbers and times carry +00:00; `values.decoded` gives either as a Python value. Personal data
(policy.py) and secrets stand there as salted digests "sha256:…", bytes as their SHA-256.

    audit_salts          the salt of each row that has personal data; erased with the person
    audit_personal       digest -> clear text of personal values; erased with the person; no part of the chain

A write needs `transaction(actor, reason)`; every other is refused by the database. Tables that are not captured, each
with its reason: `policy.NOT_CAPTURED`. New tables of the metadata are captured without being named anywhere.
"""
