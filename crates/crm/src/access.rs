//! Who may see and do what: from an actor over its role to rights, and from rights to a view of the facts.
//!
//! A role's rights are JSON: `{"settings": true, "*": {"see": "all", "change": "own", "create": true, "delete": "none",
//! "export": false}, "deal": {"hide": ["amount"], "read_only": ["owner"]}}`. What an object does not say, `*` says.
//! `settings` opens what belongs to nobody and changes what others see: users, roles, pipelines, rates, declarations.
//! Of colleagues everybody sees the names; how they sign in, and what roles say, those who see all of them or may change
//! settings. A program's token may have less than its owner, by object, and never more.

use crate::Result;
use northing_facts::{Sees, Snapshot, View};
use northing_model::{Model, ObjectDef, Value};
use northing_store::{Change, Op, Store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The name under which the owner signs in and the command line writes.
pub const OWNER: &str = "owner";

/// Objects beside the structural ones that only `settings` lets change.
const SETTINGS: [&str; 5] = ["user", "team", "access_role", "definition", "service_promise"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    #[default]
    None,
    Own,
    Team,
    All,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    see: Option<Level>,
    change: Option<Level>,
    delete: Option<Level>,
    create: Option<bool>,
    export: Option<bool>,
    #[serde(default)]
    hide: BTreeSet<String>,
    #[serde(default)]
    read_only: BTreeSet<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Role {
    #[serde(default)]
    settings: bool,
    #[serde(flatten)]
    objects: BTreeMap<String, Said>,
}

/// What a program may do with records of an object, of what its owner may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    #[default]
    None,
    See,
    Change,
}

/// The part of its owner's rights that a program has, by object; what is not named, `*` says.
pub type Scope = BTreeMap<String, Reach>;

/// What of objects that everybody sees is for those who see all of their records or may change settings.
const KEPT: [(&str, &str); 3] = [("user", "email"), ("user", "access"), ("access_role", "rights")];

/// Does a change open a door: may somebody get in by it, or do what they could not before?
pub fn opens_a_door(object: &ObjectDef, change: &Change) -> bool {
    let mut doors = object.doors();
    object.name == "access_role"
        || match change.op {
            Op::Create | Op::Update => doors.any(|f| change.fields.contains_key(&f.name)),
            Op::Delete | Op::Restore => doors.next().is_some(),
        }
}

/// What everybody sees and only `settings` lets change.
fn is_basic(object: &ObjectDef) -> bool {
    object.structural || SETTINGS.contains(&object.name.as_str())
}

/// What may be done to a record or with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Create,
    Change,
    Delete,
    Export,
}

/// Of one person at one time.
#[derive(Debug, Clone)]
pub struct Rights {
    /// The user, unless it is the owner of the workspace.
    pub user: Option<Uuid>,
    pub name: String,
    role: Option<Role>,
    own: BTreeSet<Uuid>,
    team: BTreeSet<Uuid>,
    /// Of a program that was given a part of these.
    scope: Option<Scope>,
}

/// Checks the JSON of a role against the model; what is wrong with it.
pub fn check(model: &Model, rights: &str) -> std::result::Result<(), String> {
    let role: Role = serde_json::from_str(rights).map_err(|e| format!("rights: {e}"))?;
    for (name, said) in role.objects.iter().filter(|(name, _)| *name != "*") {
        let object = model.object(name).filter(|o| !o.derived).ok_or_else(|| format!("rights: there is no object '{name}'"))?;
        let fields = said.hide.iter().chain(&said.read_only);
        if let Some(field) = fields.into_iter().find(|f| object.field(f).is_none()) {
            return Err(format!("rights: {name} has no field '{field}'"));
        }
        let needed = said.hide.iter().find(|f| **f == object.title || object.whose.contains(f) || object.field(f).is_some_and(|f| f.required || f.name == "merged_into"));
        if let Some(field) = needed {
            return Err(format!("rights: '{field}' names a {name}, is required or says whose it is, and cannot be hidden"));
        }
    }
    Ok(())
}

impl Rights {
    /// Everything: the owner, and the command line on its own files.
    pub fn owner() -> Self {
        Self { user: None, name: "Owner".into(), role: None, own: BTreeSet::new(), team: BTreeSet::new(), scope: None }
    }

    /// Those of an actor as its session names it; none for people who are gone or have no role.
    pub fn of(store: &Store, whole: &Snapshot, actor: &str, now: i64) -> Result<Option<Self>> {
        if actor == OWNER {
            let owner = Self::owner();
            return Ok(Some(Self { name: store.credential(actor)?.name.unwrap_or(owner.name), ..owner }));
        }
        let Ok(user) = Uuid::parse_str(actor) else { return Ok(None) };
        let Ok((record, _)) = store.get("user", user) else { return Ok(None) };
        let time = |name: &str| match record.get(name) {
            Some(Value::Time(at)) => Some(*at),
            _ => None,
        };
        let gone = record.get("active") == Some(&Value::Bool(false)) || time("disabled_at").is_some_and(|at| at <= now) || record.get("is_service") == Some(&Value::Bool(true));
        let Some(role) = record.get("access").and_then(Value::as_ref_id).filter(|_| !gone) else { return Ok(None) };
        let Ok((role, _)) = store.get("access_role", role) else { return Ok(None) };
        let text = role.get("rights").and_then(Value::as_text).unwrap_or_default();
        let Ok(role) = serde_json::from_str(text) else { return Ok(None) };
        let own = BTreeSet::from([user]);
        let mut team = own.clone();
        if let Some(id) = record.get("team").and_then(Value::as_ref_id) {
            team.extend(members(whole, id));
        }
        let name = record.get("name").and_then(Value::as_text).unwrap_or_default().to_string();
        Ok(Some(Self { user: Some(user), name, role: Some(role), own, team, scope: None }))
    }

    /// The same as far as a program's token lets it.
    pub fn within(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    fn reach(&self, object: &str) -> Reach {
        self.scope.as_ref().map_or(Reach::Change, |s| s.get(object).or_else(|| s.get("*")).copied().unwrap_or_default())
    }

    /// Can a program be given this part of these rights? What it may not be given, in words.
    pub fn check(&self, model: &Model, scope: &Scope) -> std::result::Result<(), String> {
        let view = self.view(model);
        for (name, reach) in scope.iter().filter(|(name, _)| *name != "*") {
            let object = model.object(name).filter(|o| !o.derived && view.as_ref().is_none_or(|v| v.sees(&o.name)));
            let object = object.ok_or_else(|| format!("there is no object '{name}'"))?;
            if *reach == Reach::Change && ![Action::Create, Action::Change, Action::Delete].into_iter().any(|a| self.may(object, a)) {
                return Err(format!("you may not change {} yourself", object.plural));
            }
        }
        Ok(())
    }

    fn said<T: Copy>(&self, object: &str, read: impl Fn(&Said) -> Option<T>) -> Option<T> {
        let objects = &self.role.as_ref()?.objects;
        objects.get(object).and_then(&read).or_else(|| objects.get("*").and_then(&read))
    }

    fn people(&self, level: Level) -> &BTreeSet<Uuid> {
        if level == Level::Team { &self.team } else { &self.own }
    }

    /// What the facts of this person leave out; nothing is `None`.
    pub fn view(&self, model: &Model) -> Option<View> {
        if self.role.is_none() && self.scope.is_none() {
            return None;
        }
        let mut view = View::default();
        for object in model.objects.iter().filter(|o| !o.derived) {
            let level = match &self.role {
                _ if self.reach(&object.name) == Reach::None => Level::None,
                None => Level::All,
                Some(_) => self.said(&object.name, |s| s.see).unwrap_or_default(),
            };
            let basic = is_basic(object);
            let mut hide = |field: &str| view.hidden.entry(object.name.clone()).or_default().extend([field.to_string()]);
            if level < Level::All && !self.settings() {
                KEPT.iter().filter(|(of, _)| *of == object.name).for_each(|(_, field)| hide(field));
            }
            let sees = match level {
                Level::All => Sees::All,
                _ if basic => Sees::All,
                Level::None => continue,
                level => {
                    // That one is taken already would tell of a record that is not seen.
                    hide("external_id");
                    Sees::Of(self.people(level).clone())
                }
            };
            view.objects.insert(object.name.clone(), sees);
        }
        for (object, said) in self.role.iter().flat_map(|r| &r.objects).filter(|(_, said)| !said.hide.is_empty()) {
            view.hidden.entry(object.clone()).or_default().extend(said.hide.iter().cloned());
        }
        let whole = view.hidden.is_empty() && model.objects.iter().filter(|o| !o.derived).all(|o| view.objects.get(&o.name) == Some(&Sees::All));
        (!whole).then_some(view)
    }

    /// May records of an object be treated so? Of single ones `level` says whose.
    pub fn may(&self, object: &ObjectDef, action: Action) -> bool {
        self.level(object, action) > Level::None
    }

    pub fn level(&self, object: &ObjectDef, action: Action) -> Level {
        if object.single && matches!(action, Action::Create | Action::Delete) {
            return Level::None;
        }
        let needed = if action == Action::Export { Reach::See } else { Reach::Change };
        if self.reach(&object.name) < needed {
            return Level::None;
        }
        let Some(role) = &self.role else { return Level::All };
        let basic = is_basic(object);
        if basic && action != Action::Export {
            return if role.settings { Level::All } else { Level::None };
        }
        let yes = |allowed: Option<bool>| if allowed == Some(true) { Level::All } else { Level::None };
        match action {
            Action::Create => yes(self.said(&object.name, |s| s.create)),
            Action::Export => yes(self.said(&object.name, |s| s.export)),
            Action::Change => self.said(&object.name, |s| s.change).unwrap_or_default(),
            Action::Delete => self.said(&object.name, |s| s.delete).unwrap_or_default(),
        }
    }

    /// May this very record be treated so, by whose it is in the person's own facts?
    pub fn may_with(&self, own: &Snapshot, object: &ObjectDef, id: Uuid, action: Action) -> bool {
        match self.level(object, action) {
            Level::None => false,
            Level::All => true,
            level => own.place_of(&object.name, id).is_some_and(|(table, row)| own.is_of(table, row, self.people(level))),
        }
    }

    pub fn read_only(&self, object: &str, field: &str) -> bool {
        self.role.as_ref().and_then(|r| r.objects.get(object)).is_some_and(|said| said.read_only.contains(field))
    }

    /// May settings be changed, people invited, imports run?
    pub fn settings(&self) -> bool {
        self.scope.is_none() && self.role.as_ref().is_none_or(|r| r.settings)
    }

    /// Whose a new record of theirs is, where nobody is named and they see only some.
    pub fn default_owner(&self, object: &ObjectDef) -> Option<(String, Uuid)> {
        let limited = self.said(&object.name, |s| s.see).is_some_and(|level| level < Level::All);
        let field = object.whose.iter().find(|w| object.field(w).and_then(|f| f.to.as_deref()) == Some("user"))?;
        self.user.filter(|_| limited).map(|user| (field.clone(), user))
    }
}

/// The users of a team.
fn members(whole: &Snapshot, team: Uuid) -> Vec<Uuid> {
    let Some((users, teams)) = whole.table_index("user").zip(whole.table_index("team")) else { return Vec::new() };
    let table = &whole.tables[users];
    let (Some(column), Some(team)) = (table.schema.column("team"), whole.row_of(teams, team)) else { return Vec::new() };
    (0..table.len).filter(|row| table.get(column, *row) == i64::from(team)).filter_map(|row| table.id(row)).collect()
}

/// Roles to begin with, as (name, rights).
pub const FIRST_ROLES: [(&str, &str); 5] = [
    ("Administrator", r#"{"settings": true, "*": {"see": "all", "change": "all", "create": true, "delete": "all", "export": true}}"#),
    ("Manager", r#"{"*": {"see": "all", "change": "all", "create": true, "delete": "all", "export": true}}"#),
    ("Team lead", r#"{"*": {"see": "team", "change": "team", "create": true, "delete": "team", "export": true}}"#),
    ("Own records", r#"{"*": {"see": "own", "change": "own", "create": true, "delete": "own", "export": false}}"#),
    ("Read only", r#"{"*": {"see": "all", "change": "none", "create": false, "delete": "none", "export": true}}"#),
];
