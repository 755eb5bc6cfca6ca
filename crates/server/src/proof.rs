//! That it is oneself, shown again: what opens doors (links, passwords, codes, tokens, who may do what) is for a person
//! who has just signed in or given the password anew, never for a program. What the doors are is others' to say.

use crate::app::{App, Caller, blocking};
use crate::password;
use crate::extract::JsonBody;
use crate::problem::Problem;
use crate::{guard, people};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::Extension;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Seconds for which a proof is good.
pub const GOOD_FOR: i64 = 900;

/// To whom there is nothing to prove it by.
pub const NO_PASSWORD: &str = "you have no password yet; ask for a new sign-in link, and set one first";

impl Caller {
    /// A person, not a program in their name.
    pub fn person(&self) -> Result<(), Problem> {
        if self.program.is_none() { Ok(()) } else { Err(Problem::forbidden("a program's token cannot change who signs in and what they may do")) }
    }

    /// A person who has just shown who they are.
    pub fn proven(&self, app: &App) -> Result<(), Problem> {
        self.person()?;
        if app.env.now() - self.proved_at < GOOD_FOR { Ok(()) } else { Err(needed()) }
    }
}

fn needed() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "proof-needed", "Show that it is you", "Enter your password again, then this goes on.")
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    password: String,
    /// Where one is asked for when signing in.
    code: Option<String>,
}

/// The password of whoever is signed in, again, and a code where codes are on.
pub async fn prove(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, JsonBody(body): JsonBody<Proof>) -> Result<StatusCode, Problem> {
    caller.person()?;
    let Some(session) = guard::cookie(&app, &headers) else { return Err(Problem::sign_in()) };
    let permit = app.to_hash().await?;
    let inner = app.clone();
    let done = blocking(move || {
        let app = inner;
        if people::is_elsewhere(&app, &caller.actor)? {
            return Err(Problem::not_accepted("proof-elsewhere", "sign in again with your account elsewhere, then do this again"));
        }
        let known = app.store.credential(&caller.actor)?;
        if known.password.is_none() {
            return Err(Problem::not_accepted("proof-link", NO_PASSWORD));
        }
        is_theirs(&app, &caller.actor, &body.password)?;
        if known.totp_on {
            match body.code.as_deref().filter(|c| !c.trim().is_empty()) {
                None => return Err(Problem::not_accepted("code-needed", "Enter the code that your app shows.")),
                Some(code) => people::take_code(&app, &caller.actor, code)?,
            }
        }
        app.store.prove(&session, app.env.now())?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await;
    drop(permit);
    done
}

/// Is it their password? A wrong one is slowed down as at the door.
pub fn is_theirs(app: &App, actor: &str, given: &str) -> Result<(), Problem> {
    let names = [(format!("proof {actor}"), password::FREE)];
    let wait = app.tries.wait(&names, app.env.now());
    if wait > 0 {
        return Err(Problem::wait(wait));
    }
    if !password::is(given, app.store.credential(actor)?.password.as_deref()) {
        return Err(Problem { field: Some("current".into()), ..Problem::not_accepted("password-wrong", "the current password is another one") });
    }
    app.tries.succeeded(&names);
    Ok(())
}
