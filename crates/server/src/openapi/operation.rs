//! What one method of a route takes and answers, as the OpenAPI document says it. Parameters and bodies are described by the
//! very types that handlers read them into, so that the document and the code say the same.

use crate::records::LONGEST_KEY;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Js, json};

pub struct Operation {
    summary: String,
    parameters: Vec<Js>,
    body: Option<(&'static str, Js)>,
    answers: Map<String, Js>,
    open: bool,
}

/// What it answers: a status, and the type and schema of the content where there is one.
type Answer = (u16, Option<(&'static str, Js)>);

const JSON: &str = "application/json";

impl Operation {
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), parameters: Vec::new(), body: None, answers: Map::new(), open: false }
    }

    /// Nobody needs to be signed in.
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    pub fn parameter(mut self, name: &str, place: &str, required: bool, schema: &Js) -> Self {
        let mut parameter = json!({"name": name, "in": place, "required": required, "schema": schema});
        if let Some(said) = parameter["schema"].as_object_mut().and_then(|s| s.remove("description")) {
            parameter["description"] = said;
        }
        self.parameters.push(parameter);
        self
    }

    /// The id in the path.
    pub fn id(self, schema: &Js) -> Self {
        self.parameter("id", "path", true, schema)
    }

    /// The parameters of a query, without those that are not looked at here.
    pub fn asks<T: JsonSchema>(mut self, without: &[&str]) -> Self {
        let schema = schema::<T>();
        let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Js::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten().filter(|(name, _)| !without.contains(&name.as_str())) {
            self = self.parameter(name, "query", required.contains(&name.as_str()), &given(property.clone()));
        }
        self
    }

    /// One of the parameters must be there, though others that are read by the same type have none.
    pub fn needs(mut self, name: &str) -> Self {
        for parameter in self.parameters.iter_mut().filter(|p| p["name"] == name) {
            parameter["required"] = true.into();
            parameter["schema"]["minLength"] = 1.into();
        }
        self
    }

    /// Of what a parameter can be only these are there.
    pub fn among<'a>(mut self, name: &str, all: impl Iterator<Item = &'a String>) -> Self {
        let all: Vec<&String> = all.collect();
        for parameter in self.parameters.iter_mut().filter(|p| p["name"] == name) {
            parameter["schema"]["enum"] = json!(all);
        }
        self
    }

    /// A body of JSON.
    pub fn takes<T: JsonSchema>(self) -> Self {
        self.takes_schema(schema::<T>())
    }
    pub fn takes_schema(mut self, schema: Js) -> Self {
        self.body = Some((JSON, schema));
        self
    }
    pub fn takes_bytes(mut self) -> Self {
        self.body = Some(("application/octet-stream", json!({"type": "string", "format": "binary"})));
        self
    }

    /// Sent again with the same key it is done once.
    pub fn keyed(self) -> Self {
        let key = json!({"type": "string", "pattern": format!("^[!-~]([\\t -~]{{0,{}}}[!-~])?$", LONGEST_KEY - 2), "description": "Of this request and no other: sent again with it, nothing is done a second time"});
        self.parameter("Idempotency-Key", "header", false, &key)
    }

    /// Done only to the version that was seen.
    pub fn versioned(self) -> Self {
        let version = json!({"type": "string", "pattern": "^\"?[0-9]{1,18}\"?$", "description": "The version that you have seen; when there is another by now, nothing is changed (412)"});
        self.parameter("If-Match", "header", false, &version)
    }

    pub fn gives(mut self, (status, content): Answer) -> Self {
        let answer = self.answers.entry(status.to_string()).or_insert_with(|| json!({"description": "Done"}));
        if let Some((kind, schema)) = content {
            answer["content"][kind] = json!({"schema": schema});
        }
        self
    }

    pub fn written(self) -> Js {
        let this = if self.answers.is_empty() { self.gives(object(200)) } else { self };
        let mut answers = this.answers;
        for any in ["4XX", "5XX"] {
            answers.insert(any.into(), json!({"$ref": "#/components/responses/Problem"}));
        }
        let mut op = json!({"summary": this.summary, "parameters": this.parameters, "responses": answers});
        if let Some((kind, schema)) = this.body {
            op["requestBody"] = json!({"required": true, "content": {kind: {"schema": schema}}});
        }
        if this.open {
            op["security"] = json!([]);
        }
        op
    }
}

/// An object of JSON.
pub fn object(status: u16) -> Answer {
    of(status, json!({"type": "object"}))
}
pub fn of(status: u16, schema: Js) -> Answer {
    (status, Some((JSON, schema)))
}
pub fn nothing(status: u16) -> Answer {
    (status, None)
}
pub fn content(kind: &'static str) -> Answer {
    (200, Some((kind, json!({"type": "string"}))))
}

/// How a type is written in JSON.
fn schema<T: JsonSchema>() -> Js {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    bounded(&mut schema);
    if let Some(map) = schema.as_object_mut() {
        map.remove("title");
    }
    schema
}

/// Whole numbers end where the type does that they are read into.
fn bounded(schema: &mut Js) {
    match schema {
        Js::Object(map) => {
            let ends = match map.get("format").and_then(Js::as_str) {
                Some("uint64" | "uint") => Some((json!(u64::MIN), json!(u64::MAX))),
                Some("int64") => Some((json!(i64::MIN), json!(i64::MAX))),
                Some("int32") => Some((json!(i32::MIN), json!(i32::MAX))),
                _ => None,
            };
            if let Some((least, most)) = ends {
                map.remove("format");
                map.entry("minimum").or_insert(least);
                map.entry("maximum").or_insert(most);
            }
            map.values_mut().for_each(bounded);
        }
        Js::Array(list) => list.iter_mut().for_each(bounded),
        _ => {}
    }
}

/// What a parameter holds when it is there: null is written by leaving it out.
fn given(mut schema: Js) -> Js {
    let Some(map) = schema.as_object_mut() else { return schema };
    map.remove("default");
    let null = |v: &Js| *v == json!("null") || v.is_null() || *v == json!({"type": "null"});
    for list in ["type", "enum", "anyOf"] {
        if let Some(all) = map.get_mut(list).and_then(Js::as_array_mut) {
            all.retain(|v| !null(v));
        }
    }
    if let Some([one]) = map.get("type").and_then(Js::as_array).map(Vec::as_slice).map(<[Js]>::to_vec).as_deref() {
        map.insert("type".into(), one.clone());
    }
    if let Some([Js::Object(one)]) = map.get("anyOf").and_then(Js::as_array).cloned().as_deref() {
        map.remove("anyOf");
        for (key, value) in one {
            map.entry(key).or_insert_with(|| value.clone());
        }
    }
    schema
}
