//! What closes a record, and the stages that deals of other systems are in. A deal there has a stage and, beside it, says
//! whether it is won; here the stage says both.

use super::convert::{Fault, Fields, column_of};
use super::plan::{Make, Missing, Source};
use super::refs::missing_of;
use super::run::Run;
use super::words;
use crate::Result;
use northing_model::text::fold;
use northing_model::{Record, Value};
use northing_store::Moment;
use uuid::Uuid;

/// The field whose value closes a record of an object, where one does.
pub const CLOSING: [(&str, &str); 2] = [("deal", "stage"), ("ticket", "status")];

pub(super) struct Stage {
    pub id: Uuid,
    name: String,
    kind: String,
    pipeline: Option<Uuid>,
    position: i64,
}

/// What a stage may be.
const KINDS: [&str; 4] = ["open", "won", "lost", "void"];

impl Run<'_> {
    /// Reads the stages that are here, once.
    fn stages(&mut self) -> Result<&mut Vec<Stage>> {
        if self.stages.is_none() {
            let mut found = Vec::new();
            if let Some(object) = self.model.object("stage") {
                let fields: Vec<_> = ["name", "kind", "pipeline", "position"].iter().filter_map(|f| object.field(f)).collect();
                self.store.scan("stage", &fields, |id, deleted, values| {
                    if let ([Value::Text(name), Value::Text(kind), pipeline, position], false) = (values, deleted) {
                        let pipeline = if let Value::Ref(id) = pipeline { Some(*id) } else { None };
                        found.push(Stage { id, name: name.clone(), kind: kind.clone(), pipeline, position: if let Value::Int(n) = position { *n } else { 0 } });
                    }
                })?;
                found.sort_by_key(|s| s.position);
            }
            self.stages = Some(found);
        }
        Ok(self.stages.get_or_insert_default())
    }

    /// Does a value close its record?
    pub(super) fn closes(&mut self, object: &str, field: &str, value: &Value) -> Result<bool> {
        Ok(match (object, field, value) {
            ("deal", "stage", Value::Ref(id)) => self.stages()?.iter().any(|s| s.id == *id && s.kind != "open"),
            ("ticket", "status", Value::Text(status)) => matches!(status.as_str(), "solved" | "closed"),
            _ => false,
        })
    }

    /// A new record that is closed, with nothing that says since when: it has been so since an unknown instant, and never
    /// since it was made.
    pub(super) fn undated(&mut self, object: &str, record: &Record, moments: &[Moment]) -> Result<Option<Moment>> {
        let Some((_, field)) = CLOSING.iter().find(|(o, _)| *o == object) else { return Ok(None) };
        let Some(value) = record.get(*field) else { return Ok(None) };
        if !self.closes(object, field, value)? || moments.iter().any(|m| m.field == *field && m.at.is_some()) {
            return Ok(None);
        }
        *self.report.undated.entry(object.to_string()).or_default() += 1;
        let told = moments.iter().any(|m| m.field == *field);
        Ok((!told).then(|| Moment { field: (*field).to_string(), at: None, value: value.clone() }))
    }

    /// A record that is here already and that the file has closed since, with nothing that says when: it stays as it is,
    /// and that is told. The day of the import is not the day on which it was closed.
    pub(super) fn leave_open(&mut self, make: &Make, id: Uuid, row: &Fields<'_>, fields: &mut Record, moments: &[Moment]) -> std::result::Result<(), Fault> {
        let fault = |e: crate::CrmError| Fault::new("", e.to_string());
        let Some((_, field)) = CLOSING.iter().find(|(o, _)| *o == make.object) else { return Ok(()) };
        let Some(value) = fields.get(*field).cloned() else { return Ok(()) };
        if self.waiting.contains_key(&id) || moments.iter().any(|m| m.field == *field && m.at.is_some()) || !self.closes(&make.object, field, &value).map_err(fault)? {
            return Ok(());
        }
        let (now, _) = self.store.get(&make.object, id).map_err(|e| fault(e.into()))?;
        if now.get(*field) != Some(&value) {
            fields.remove(*field);
            let column = make.fields.get(*field).map_or_else(|| (*field).to_string(), column_of);
            self.leave_out(row, Fault::new(column, "it is here already and closed in the file, which does not say when; it stays open: give the column with the day of closing, or close it by hand"));
        }
        Ok(())
    }

    /// The stage of a deal: by its id, else by its name in the deal's pipeline; where the row says that it is won or lost,
    /// one of that kind.
    pub(super) fn stage(&mut self, row: &Fields<'_>, source: &Source, text: &str, fields: &Record) -> std::result::Result<Value, Fault> {
        let fault = |reason: String| Fault::new(column_of(source), reason);
        let mut kind = String::new();
        if let Source::Full(full) = source
            && let Some(said) = &full.kind
        {
            kind = self.reading().text(row, said)?.trim().to_lowercase();
            if let (false, Some(known)) = (KINDS.contains(&kind.as_str()), words::kind_of(&kind)) {
                kind = known.to_string();
            }
            if !kind.is_empty() && !KINDS.contains(&kind.as_str()) {
                return Err(Fault::new(column_of(said), format!("'{kind}' is not one of: {}", KINDS.join(", "))));
            }
        }
        if text.is_empty() && kind.is_empty() {
            return Ok(Value::Null);
        }
        let key = if text.is_empty() { None } else { self.lookup("stage", text).map_err(|e| fault(e.to_string()))? };
        let pipeline = if let Some(Value::Ref(id)) = fields.get("pipeline") { Some(*id) } else { None };
        let stages = self.stages().map_err(|e| fault(e.to_string()))?;
        if let Some(id) = key.filter(|id| kind.is_empty() || stages.iter().all(|s| s.id != *id || s.kind == kind)) {
            return Ok(Value::Ref(id));
        }
        let fits = |s: &&Stage| (kind.is_empty() || s.kind == kind) && pipeline.is_none_or(|p| s.pipeline.is_none_or(|own| own == p));
        let wanted = fold(text);
        let named: Vec<&Stage> = stages.iter().filter(fits).filter(|s| !wanted.is_empty() && fold(&s.name) == wanted).collect();
        // The deal's own pipeline goes first; without one, a name that several pipelines have says nothing.
        let found = match named[..] {
            [one] => Some(one.id),
            [first, ..] if pipeline.is_some() => Some(first.id),
            _ => None,
        };
        let own = words::kind_of(text);
        let closed = if kind.is_empty() { own.unwrap_or_default() } else { &kind };
        // A plan that neither says the kind nor lets stages be made means the very stage that it names.
        let lenient = !kind.is_empty() || missing_of(source) == Missing::Make;
        let of_kind = || stages.iter().filter(fits).find(|s| lenient && s.kind == closed && matches!(closed, "won" | "lost" | "void")).map(|s| s.id);
        if let Some(id) = found.or_else(of_kind) {
            return Ok(Value::Ref(id));
        }
        if missing_of(source) != Missing::Make || (text.is_empty() && closed.is_empty()) {
            return Err(fault(format!("there is no stage '{text}', or more than one; import it first, or name it by its id")));
        }
        let position = stages.iter().map(|s| s.position).max().unwrap_or(0) + 1;
        let pipeline = pipeline.or_else(|| stages.iter().find_map(|s| s.pipeline));
        let kind = if closed.is_empty() { "open" } else { closed }.to_string();
        // `Negotiation` that was won does not make a won stage of that name.
        let name = match kind.as_str() {
            "won" if own != Some("won") => "Won",
            "lost" if own != Some("lost") => "Lost",
            "void" if own != Some("void") => "Not a chance",
            _ if text.is_empty() => "Open",
            _ => text,
        };
        let key = pipeline.map_or_else(|| name.to_string(), |p| format!("{p}:{name}"));
        let mut record = Record::from([("name".into(), Value::Text(name.to_string())), ("kind".into(), Value::Text(kind.clone())), ("position".into(), Value::Int(position)), ("external_id".into(), Value::Text(key.clone())), ("created_at".into(), Value::Null)]);
        if let Some(pipeline) = pipeline {
            record.insert("pipeline".into(), Value::Ref(pipeline));
        }
        let id = self.made_by_the_way(row, "stage", &key, record);
        self.stages().map_err(|e| Fault::new("", e.to_string()))?.push(Stage { id, name: name.to_string(), kind, pipeline, position });
        Ok(Value::Ref(id))
    }
}
