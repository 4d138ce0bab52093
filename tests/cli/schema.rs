//! As much of JSON Schema as assets/schema/envelope.json uses; a keyword it does not know is an error.

use serde_json::Value;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../assets/schema/envelope.json")).unwrap()
}

pub(crate) fn assert_valid(value: &Value) {
    let root = schema();
    if let Err(why) = check(&root, &root, value, "$") {
        panic!("{why}");
    }
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        let fine = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" => true,
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                check(root, &root["$defs"][name], value, at)?;
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|t| is(value, t)),
                one => is(value, one),
            },
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            // Only plain texts are used as patterns.
            "pattern" => value.as_str().is_some_and(|v| v.contains(rule.as_str().unwrap())),
            "required" => rule.as_array().unwrap().iter().all(|k| value.get(k.as_str().unwrap()).is_some()),
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        check(root, rule, value, &format!("{at}.{key}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                value.as_object().is_none_or(|o| o.keys().all(|k| known.contains_key(k)))
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}[{i}]"))?;
                }
                true
            }
            "oneOf" => {
                let fits: Vec<_> =
                    rule.as_array().unwrap().iter().map(|r| check(root, r, value, at)).collect();
                if fits.iter().filter(|f| f.is_ok()).count() != 1 {
                    return Err(format!("{at}: not exactly one of {fits:?}"));
                }
                true
            }
            other => return Err(format!("the schema uses {other}, which this test does not know")),
        };
        if !fine {
            let short: String = value.to_string().chars().take(200).collect();
            return Err(format!("{at}: {keyword} {rule} does not hold for {short}"));
        }
    }
    Ok(())
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let root = schema();
    for text in [
        r"{}",
        r#"{"schema_version":2,"error":{"class":"usage","message":"","hint":null,"durable":false,"ambiguous":false}}"#,
        r#"{"schema_version":1,"error":{"class":"odd","message":"","hint":null,"durable":false,"ambiguous":false}}"#,
        r#"{"schema_version":1,"error":{"class":"usage","hint":null,"durable":false,"ambiguous":false}}"#,
        r#"{"schema_version":1,"midwatch":"","doctor":[{"name":"","status":"fine","message":""}]}"#,
    ] {
        assert!(check(&root, &root, &serde_json::from_str(text).unwrap(), "$").is_err(), "{text}");
    }
}
