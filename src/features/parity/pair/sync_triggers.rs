//! The functions and triggers that keep one side of a twin as the other: written by column name, from the catalog.
//!
//! A function runs under a path of its own, which is safe, and names all that a path would resolve all the same: who writes
//! the row may set what they like.

use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::profile::Twin;
use crate::features::parity::pair::catalog::{EQUAL, operator};
use crate::features::parity::pair::trigger_ddl::{Statements, Triggers};
use crate::features::parity::pair::trigger_function::{Making, dropped};

/// A column that is mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirrored {
    pub(crate) name: String,
    /// Its type on the written side, where that is another one.
    pub(crate) cast: Option<String>,
    /// The operator of the written side's type, where that is not the server's own equality.
    pub(crate) equality: Option<String>,
}

/// What is written from what.
#[derive(Debug, Clone)]
pub(crate) struct RowSync {
    /// The table that applications write.
    pub(crate) from: Relation,
    /// The table that is kept as it.
    pub(crate) onto: Relation,
    /// Columns of a unique index of the written table.
    pub(crate) key: Vec<String>,
    /// What else tells a row of the first table from another: its partition key.
    pub(crate) moves_by: Vec<String>,
    /// Common columns that can be written, the key's too.
    pub(crate) columns: Vec<Mirrored>,
    /// A column of the written table numbers itself.
    pub(crate) numbered: bool,
}

impl RowSync {
    /// A column of `NEW` or `OLD`, as the written side holds it.
    fn value(&self, side: &str, name: &str) -> String {
        let value = format!("{side}.{}", Ident(name));
        match self.columns.iter().find(|c| c.name == name).and_then(|c| c.cast.as_deref()) {
            Some(cast) => format!("({value})::{cast}"),
            None => value,
        }
    }

    fn identity(&self) -> Vec<&String> {
        let more = self.moves_by.iter().filter(|m| !self.key.contains(m));
        self.key.iter().chain(more).collect()
    }

    /// The row that was, or that is, on the written side.
    fn row(&self, side: &str) -> String {
        let one = |k: &&String| format!("{} {} {}", Ident(k), self.equality(k), self.value(side, k));
        self.identity().iter().map(one).collect::<Vec<_>>().join(" AND ")
    }

    /// Of the written side's type, where that has an equality of its own.
    fn own_equality(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|c| c.name == name)?.equality.as_deref()
    }

    fn equality(&self, name: &str) -> &str {
        operator(self.own_equality(name))
    }

    fn key_changed(&self) -> String {
        let one = |k: &&String| {
            let [(old, was), (new, is)] = ["OLD", "NEW"].map(|side| {
                let value = format!("{side}.{}", Ident(k));
                // What a looser equality takes for the same may be written otherwise, and is then to be written anew.
                let compared = self.own_equality(k).map_or_else(|| value.clone(), |_| shown(&value));
                (value, compared)
            });
            format!("NOT coalesce({was} {EQUAL} {is}, {old} IS NULL AND {new} IS NULL)")
        };
        format!("({})", self.identity().iter().map(one).collect::<Vec<_>>().join(" OR "))
    }

    /// The row as it is now, on the written side. A plain UPDATE locks no more of it than the application's own would have:
    /// ON CONFLICT DO UPDATE would lock out whoever writes children of it. A row of the same key elsewhere is another row:
    /// its like was refused by the table that had the key unique.
    fn write_row(&self) -> String {
        let others = |c: &&Mirrored| !self.identity().contains(&&c.name);
        let sets: Vec<_> = self
            .columns
            .iter()
            .filter(others)
            .map(|c| format!("{} = {}", Ident(&c.name), self.value("NEW", &c.name)))
            .collect();
        let row = self.row("NEW");
        let update = if sets.is_empty() {
            format!("PERFORM 1 FROM {} WHERE {row}", self.onto)
        } else {
            format!("UPDATE {} SET {} WHERE {row}", self.onto, sets.join(", "))
        };
        let message = format!(
            "duplicate key value violates the unique key ({}) of {}",
            self.key.join(", "),
            self.onto.brief()
        );
        format!(
            "IF TG_OP {EQUAL} 'UPDATE' THEN\n    {update};\n    IF FOUND THEN\n      RETURN NULL;\n    END IF;\n  END IF;\n  \
             {}\n    ON CONFLICT ({}) DO NOTHING;\n  IF NOT FOUND THEN\n    {update};\n    IF NOT FOUND THEN\n      \
             RAISE unique_violation USING MESSAGE = {};\n    END IF;\n  END IF;",
            self.insert(),
            self.conflict(),
            literal(&message)
        )
    }

    fn insert(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|c| Ident(&c.name).to_string()).collect();
        let values: Vec<_> = self.columns.iter().map(|c| self.value("NEW", &c.name)).collect();
        let overriding = if self.numbered { " OVERRIDING SYSTEM VALUE" } else { "" };
        format!("INSERT INTO {} ({}){overriding} VALUES ({})", self.onto, names.join(", "), values.join(", "))
    }

    fn conflict(&self) -> String {
        self.key.iter().map(|k| Ident(k).to_string()).collect::<Vec<_>>().join(", ")
    }

    fn upsert(&self) -> String {
        let sets: Vec<_> = self
            .columns
            .iter()
            .filter(|c| !self.key.contains(&c.name))
            .map(|c| format!("{0} = EXCLUDED.{0}", Ident(&c.name)))
            .collect();
        let then =
            if sets.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", sets.join(", ")) };
        format!("{}\n    ON CONFLICT ({}) DO {then};", self.insert(), self.conflict())
    }

    /// From the legacy table onto its twin: a row whose key or partition key changes leaves nothing behind.
    pub(crate) fn forward(&self, making: Making, function: &str, attributes: &str) -> String {
        let body = format!(
            "BEGIN\n  IF TG_OP {EQUAL} 'DELETE' OR TG_OP {EQUAL} 'UPDATE' AND {} THEN\n    DELETE FROM {} WHERE {};\n  END IF;\n  \
             IF NOT TG_OP {EQUAL} 'DELETE' THEN\n    {}\n  END IF;\n  RETURN NULL;\nEND",
            self.key_changed(),
            self.onto,
            self.row("OLD"),
            self.upsert()
        );
        create(making, function, &self.pinned(attributes), &body)
    }

    fn pinned(&self, attributes: &str) -> String {
        let casts = self.columns.iter().any(|c| c.cast.is_some());
        format!("{attributes}{}", if casts { PINNED } else { "" })
    }

    /// From the partitioned table back onto the retired one. That has children, which a delete would take along: a row
    /// that moves between partitions (for row triggers a DELETE and an INSERT) is changed in place before it moves, so
    /// that the DELETE finds nothing under its old key.
    pub(crate) fn reverse(&self, making: Making, function: &str, attributes: &str) -> String {
        let sets: Vec<_> = self
            .columns
            .iter()
            .map(|c| format!("{} = {}", Ident(&c.name), self.value("NEW", &c.name)))
            .collect();
        let body = format!(
            "DECLARE\n  child text;\n  filled bool;\nBEGIN\n  IF TG_OP {EQUAL} 'TRUNCATE' THEN\n    {truncate}\n    RETURN NULL;\n  END IF;\n  \
             IF TG_WHEN {EQUAL} 'BEFORE' THEN\n    UPDATE {onto} SET {sets} WHERE {old};\n    RETURN NEW;\n  END IF;\n  \
             IF TG_OP {EQUAL} 'DELETE' THEN\n    DELETE FROM {onto} WHERE {old};\n    RETURN NULL;\n  END IF;\n  \
             {kept}\n  RETURN NULL;\nEND",
            truncate = self.truncated(),
            onto = self.onto,
            sets = sets.join(", "),
            old = self.row("OLD"),
            kept = self.write_row(),
        );
        create(making, function, &self.pinned(attributes), &body)
    }

    /// TRUNCATE is refused where rows of other tables would go with it, as it was of the table that they refer to; of a
    /// partition that was detached it means nothing any more. That of the whole table fires for each of its partitions
    /// too: where the first has left nothing, the others have nothing to look for.
    fn truncated(&self) -> String {
        let same: Vec<_> =
            self.identity().iter().map(|k| format!("t.{0} {1} r.{0}", Ident(k), self.equality(k))).collect();
        let (from, onto) = (literal(&self.from.to_string()), literal(&self.onto.to_string()));
        format!(
            "IF NOT EXISTS (SELECT FROM {}) OR NOT EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(TG_RELID) a \
             WHERE a.relid {EQUAL} pg_catalog.to_regclass({from})) THEN\n      RETURN NULL;\n    END IF;\n    \
             FOR child IN SELECT k.conrelid::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_constraint k \
             WHERE k.contype {EQUAL} 'f' AND k.conparentid {EQUAL} 0::pg_catalog.oid\n        \
             AND k.confrelid {EQUAL} pg_catalog.to_regclass({onto}) AND NOT k.conrelid {EQUAL} k.confrelid \
             AND k.confdeltype {EQUAL} ANY ('{{c,n,d}}'::pg_catalog.\"char\"[]) LOOP\n      \
             EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s)', child) INTO filled;\n      IF filled THEN\n        \
             RAISE feature_not_supported USING MESSAGE = 'cannot truncate a table referenced in a foreign key constraint', \
             DETAIL = pg_catalog.format('Rows of %s would go with those of %s.', child, {onto});\n      END IF;\n    END LOOP;\n    \
             DELETE FROM {} r WHERE NOT EXISTS (SELECT FROM {} t WHERE {});",
            self.onto,
            self.onto,
            self.from,
            same.join(" AND ")
        )
    }

    /// The same function before its time: it does nothing, so that its triggers can be made without haste.
    pub(crate) fn idle(making: Making, function: &str, attributes: &str) -> String {
        let body = format!(
            "BEGIN\n  IF TG_WHEN {EQUAL} 'BEFORE' THEN\n    RETURN NEW;\n  END IF;\n  RETURN NULL;\nEND"
        );
        create(making, function, attributes, &body)
    }

    /// The triggers of [`RowSync::reverse`] on the partitioned table and its leaves, around a function that is made first.
    pub(crate) fn reverse_triggers(&self, made: Vec<String>, function: &str, leaves: &[String]) -> Triggers {
        let from = self.from.to_string();
        let (before, after) = (Ident(&moves(REVERSE)).to_string(), Ident(REVERSE));
        let mut tables = made;
        tables.extend([
            format!(
                "CREATE OR REPLACE TRIGGER {before} BEFORE UPDATE ON {from} FOR EACH ROW WHEN ({}) EXECUTE FUNCTION {function}()",
                self.key_changed()
            ),
            format!(
                "CREATE OR REPLACE TRIGGER {after} AFTER INSERT OR UPDATE OR DELETE ON {from} FOR EACH ROW EXECUTE FUNCTION {function}()"
            ),
            format!("ALTER TABLE {from} ENABLE ALWAYS TRIGGER {before}"),
            format!("ALTER TABLE {from} ENABLE ALWAYS TRIGGER {after}"),
        ]);
        tables.extend(truncate_triggers(function, &from));
        let partitions = leaves.iter().flat_map(|leaf| truncate_triggers(function, leaf)).collect();
        Triggers { make: Statements { tables, partitions }, take: reverse_taken(function, leaves) }
    }
}

/// TRUNCATE fires those of the very table that it names: each partition has its own.
pub(crate) fn truncate_triggers(function: &str, table: &str) -> [String; 2] {
    let truncate = Ident(&truncate_name()).to_string();
    [
        format!(
            "CREATE OR REPLACE TRIGGER {truncate} AFTER TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        ),
        format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {truncate}"),
    ]
}

/// What those are called.
pub(crate) fn truncate_name() -> String {
    format!("{REVERSE}_truncate")
}

/// The reverse triggers and their function go.
pub(crate) fn reverse_taken(function: &str, leaves: &[String]) -> Statements {
    let gone = |leaf: &String| format!("DROP TRIGGER IF EXISTS {} ON {leaf}", Ident(&truncate_name()));
    Statements { tables: dropped(function), partitions: leaves.iter().map(gone).collect() }
}

/// The same as [`output_text`], under any path.
fn shown(value: &str) -> String {
    format!("CASE WHEN pg_catalog.num_nonnulls({value}) {EQUAL} 1 THEN pg_catalog.format('%s', {value}) END")
}

/// The text of a value that the type's own output function gives. A cast would look for a function that the type's owner
/// may have made. The text of functions that are there is compared with it: it does not change.
pub(crate) fn output_text(value: &str) -> String {
    format!("case when num_nonnulls({value}) = 1 then format('%s', {value}) end")
}

/// How values of other types are written must not depend on who writes the row; parity reads them so.
const PINNED: &str = " SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres'";

fn create(making: Making, function: &str, attributes: &str, body: &str) -> String {
    format!(
        "{} {function}() RETURNS trigger LANGUAGE plpgsql{attributes} AS {}",
        making.words(),
        literal(body)
    )
}

/// What the reverse triggers are called.
pub(crate) const REVERSE: &str = "midwatch_reverse";
/// Of the BEFORE triggers the last: what it sees is what will be written.
pub(crate) fn moves(name: &str) -> String {
    format!("zz_{name}_moves")
}

/// All names of the reverse triggers.
pub(crate) fn reverse_names() -> [String; 3] {
    [moves(REVERSE), REVERSE.to_owned(), truncate_name()]
}

/// What the function of a twin's reverse triggers is called, by the legacy table's name.
pub(crate) fn reverse_function_name(legacy: &str) -> String {
    format!("{REVERSE}_{legacy}")
}

/// Longer names are cut by the server, between characters.
const NAME_BYTES: usize = 63;

/// Is it a reverse trigger of this twin: exactly its name and its function, `function` as the catalog writes it? One whose
/// name only looks like it is its owner's.
pub(crate) fn is_reverse(twin: &Twin, search_path: &[String], trigger: &str, function: &str) -> bool {
    let mut made = reverse_function_name(&Relation::parse(&twin.legacy).name);
    made.truncate(made.floor_char_boundary(NAME_BYTES));
    let (named, schema) = (Relation::parse(function), Relation::parse(&twin.partitioned).schema);
    // A name without its schema is found through the path.
    let found = |schema: &String| search_path.contains(schema);
    let there = match (&named.schema, &schema) {
        (Some(a), Some(b)) => a == b,
        (Some(one), None) | (None, Some(one)) => found(one),
        (None, None) => true,
    };
    there && named.name == made && reverse_names().iter().any(|n| n == trigger)
}

/// Of functions that write where the caller may not.
pub(crate) const DEFINER: &str = " SECURITY DEFINER SET search_path = pg_catalog, pg_temp";
/// Of those that run with the caller's rights.
pub(crate) const INVOKER: &str = " SET search_path = pg_catalog, pg_temp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_ours_by_its_whole_name_and_that_of_its_function() {
        let long = "ä".repeat(31);
        let twin = |legacy: &str, partitioned: &str| -> Twin {
            serde_json::from_value(
                serde_json::json!({ "legacy": legacy, "partitioned": partitioned, "key": ["id"] }),
            )
            .unwrap()
        };
        let path = ["public".to_owned()];
        let ours = |twin: &Twin, trigger: &str, function: &str| is_reverse(twin, &path, trigger, function);
        let orders = twin("orders", "orders_partitioned");
        for trigger in ["midwatch_reverse", "zz_midwatch_reverse_moves", "midwatch_reverse_truncate"] {
            assert!(ours(&orders, trigger, "midwatch_reverse_orders"), "{trigger}");
        }
        for trigger in ["x_midwatch_reverse", "midwatch_reverse_x", "zz_midwatch_reverse"] {
            assert!(!ours(&orders, trigger, "midwatch_reverse_orders"), "{trigger}");
        }
        for function in ["x_midwatch_reverse", "midwatch_reverse_other", "evil.midwatch_reverse_orders"] {
            assert!(!ours(&orders, "midwatch_reverse", function), "{function}");
        }
        assert!(ours(&orders, "midwatch_reverse", "public.midwatch_reverse_orders"));
        let elsewhere = twin("a.orders", "a.orders_partitioned");
        assert!(ours(&elsewhere, "midwatch_reverse", "a.midwatch_reverse_orders"));
        assert!(!ours(&elsewhere, "midwatch_reverse", "midwatch_reverse_orders"));
        let cut = format!("midwatch_reverse_{}", "ä".repeat(23));
        assert!(ours(&twin(&long, "p"), "midwatch_reverse", &format!("\"{cut}\"")), "{cut}");
    }

    #[test]
    fn a_column_of_another_type_is_cast_on_its_way() {
        let mirror = RowSync {
            from: Relation::parse("a.t"),
            onto: Relation::parse("a.p"),
            key: vec!["id".into(), "at".into()],
            moves_by: vec![],
            columns: vec![
                Mirrored { name: "id".into(), cast: None, equality: None },
                Mirrored { name: "at".into(), cast: Some("timestamptz".into()), equality: None },
            ],
            numbered: false,
        };
        let forward = mirror.forward(Making::New, "f", "");
        assert!(forward.contains(r#"VALUES (NEW."id", (NEW."at")::timestamptz)"#), "{forward}");
        assert!(forward.contains(r#"WHERE "id" operator(pg_catalog.=) OLD."id" AND "at" operator(pg_catalog.=) (OLD."at")::timestamptz"#), "{forward}");
        assert!(forward.contains("DO NOTHING"), "{forward}");
    }
}
