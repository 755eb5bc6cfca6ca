//! From an actor to what it may see. Roles come with the working side; until then a workspace has its owner,
//! who sees everything, and nobody else has a session.

use northing_model::Scope;

/// The name under which the owner signs in and the command line writes.
pub const OWNER: &str = "owner";

/// The scope of an actor; nobody unknown sees anything.
pub fn scope(actor: &str) -> Scope {
    if actor == OWNER { Scope::all() } else { Scope::only(Default::default()) }
}
