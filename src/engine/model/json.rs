//! Fields of JSON objects, read and written without a panic. The shape of the answers is not here: `report/json`.

use serde_json::{Map, Value};

/// A field of an object; null where there is none.
pub(crate) fn field<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// Sets a field of an object, at its end if it is new; null becomes an object, any other value stays as it is.
pub(crate) fn put(object: &mut Value, name: &str, value: Value) {
    if object.is_null() {
        *object = Value::Object(Map::new());
    }
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// Adds all fields of another object.
pub(crate) fn extend(body: &mut Value, more: Value) {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_set_in_order_and_read_back() {
        let mut object = json!({ "b": 1, "a": 2 });
        put(&mut object, "c", json!(3));
        put(&mut object, "b", json!(4));
        assert_eq!(object.to_string(), r#"{"b":4,"a":2,"c":3}"#);
        assert_eq!((field(&object, "c"), field(&object, "d")), (&json!(3), &Value::Null));
        let mut list = json!([1]);
        put(&mut list, "a", json!(1));
        assert_eq!((list, field(&json!("text"), "a")), (json!([1]), &Value::Null));
    }
}
