//! Files of records: taken in under the hash of their content, given out only as something to be saved.
//!
//! Nothing that people send is ever shown by the browser as a page of ours: whatever the file says that it is, it comes
//! back as bytes to save, sandboxed. Names are never paths.

use crate::app::{App, Caller, blocking};
use crate::outflow::Way;
use crate::extract::{ByteBody, Path};
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use northing_crm::access::Action;
use northing_store::private;
use serde_json::{Value as Js, json};
use sha2::{Digest, Sha256};
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Of a file that is being written.
const PART: &str = "part";

/// 25 MiB.
pub const LARGEST: usize = 25 << 20;

fn place(app: &App, sha: &str) -> Option<PathBuf> {
    let fine = sha.len() == 64 && sha.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    fine.then(|| app.store.folder().join("files").join(&sha[..2]).join(sha))
}

/// Bytes of all files that are kept, once they were counted.
#[derive(Default)]
pub struct Files(Mutex<Option<u64>>);

impl Files {
    /// Makes room for a file in the count, or says that there is none.
    fn take(&self, app: &App, size: u64) -> Result<(), Problem> {
        let Some(most) = app.limits.files else { return Ok(()) };
        let mut kept = self.0.lock().map_err(|_| Problem::internal("the count of files"))?;
        let now = kept.map_or_else(|| entries(&app.store.folder().join("files")).into_iter().filter_map(|p| Some(p.metadata().ok()?.len())).sum(), |n| n);
        let after = now.saturating_add(size);
        *kept = Some(if after > most { now } else { after });
        if after <= most {
            return Ok(());
        }
        Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, "files-full", "There is no room for more files", format!("Files may take {} MiB here, and they do. Whoever runs the server can raise --files-limit.", most >> 20)))
    }

    fn give_back(&self, size: u64) {
        if let Ok(mut kept) = self.0.lock() {
            *kept = kept.map(|n| n.saturating_sub(size));
        }
    }
}

/// What lies in the folders below.
fn entries(folder: &FsPath) -> Vec<PathBuf> {
    let list = |folder: &FsPath| std::fs::read_dir(folder).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).collect::<Vec<_>>();
    list(folder).iter().filter(|f| f.is_dir()).flat_map(|f| list(f)).collect()
}

/// Removes what a server that ended had not written whole.
pub fn clear(folder: &FsPath) {
    for part in entries(&folder.join("files")).iter().filter(|p| p.extension().is_some_and(|e| e == PART)) {
        let _ = std::fs::remove_file(part);
    }
}

/// Writes a file whole, or leaves none.
pub fn whole(path: &FsPath, bytes: &[u8]) -> Result<(), Problem> {
    let write = || -> std::io::Result<()> {
        let mut file = private::file(path)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(path);
        Problem::disk(e)
    })
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The file is too large", "Files of up to 25 MiB are kept here.")
}

/// Takes a content in; the record that it belongs to is written after, with the hash.
pub async fn take(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, body: Result<ByteBody, Problem>) -> Result<(StatusCode, Json<Js>), Problem> {
    let ByteBody(body) = body.map_err(|p| p.or_too_large(too_large))?;
    blocking(move || {
        let model = app.store.model();
        if model.object("attachment").is_none_or(|o| !caller.rights.may(o, Action::Create)) {
            return Err(Problem::forbidden("your role does not let you add files"));
        }
        let sha: String = Sha256::digest(&body).iter().map(|b| format!("{b:02x}")).collect();
        let path = place(&app, &sha).ok_or_else(|| Problem::internal("a hash that is none"))?;
        if !path.exists() {
            let folder = path.parent().ok_or_else(|| Problem::internal("no folder"))?;
            private::folder(folder).map_err(Problem::disk)?;
            app.files.take(&app, body.len() as u64)?;
            // Whole or not at all: a name is only given to what is on the disk.
            let part = folder.join(format!("{}.{PART}", app.env.id()));
            let kept = whole(&part, &body).and_then(|()| std::fs::rename(&part, &path).map_err(Problem::disk));
            kept.inspect_err(|_| app.files.give_back(body.len() as u64))?;
        }
        Ok((StatusCode::CREATED, Json(json!({"sha": sha, "size": body.len()}))))
    })
    .await
}

/// The content of an attachment that the caller sees.
pub async fn give(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    blocking(move || {
        let gone = || Problem::not_found(format!("attachment {id} does not exist"));
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, "attachments")?;
        let hidden = |field: &str| caller.place.view.as_ref().is_some_and(|v| v.hides(&def.name, field));
        if !caller.knows(&app, &def.name, id) || hidden("sha") {
            return Err(gone());
        }
        let (record, _) = app.store.get(&def.name, id)?;
        let text = |name: &str| record.get(name).and_then(|v| v.as_text()).unwrap_or_default().to_string();
        app.went_out(&caller, Way::File, &def.name, 1);
        let path = place(&app, &text("sha")).ok_or_else(gone)?;
        let bytes = std::fs::read(&path).map_err(|_| Problem::not_found("the content of this file is missing; restore it from a backup"))?;
        let name: String = text("name").bytes().map(|b| if b.is_ascii_alphanumeric() || b"._-".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
        let headers = [
            (header::CONTENT_TYPE, "application/octet-stream".to_string()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
            (header::CACHE_CONTROL, "private, no-store".to_string()),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_string()),
        ];
        Ok((headers, Body::from(bytes)).into_response())
    })
    .await
}
