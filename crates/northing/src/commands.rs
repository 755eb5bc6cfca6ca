//! `serve`, `demo`, `import`, `check`, `backup` and `restore`.

use crate::Data;
use clap::Args;
use northing_crm::Env;
use northing_crm::import::sheet::{Workbook, is_workbook};
use northing_crm::import::{Plan, Reject, guess};
use northing_model::text::harmless;
use northing_store::Store;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

/// The real clock (or the one that `--now` fixes) and random, time-ordered ids.
pub fn environment(now: Option<i64>) -> Env {
    let clock = move || now.unwrap_or_else(|| jiff::Timestamp::now().as_second());
    Env::new(clock, uuid::Uuid::now_v7)
}

#[derive(Args)]
pub struct Import {
    #[command(flatten)]
    data: Data,
    /// The import plan (TOML); without it one is guessed and shown
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Run a guessed plan without asking to look at it first
    #[arg(long)]
    yes: bool,
    /// The sheet of a workbook to import; without it the first
    #[arg(long)]
    sheet: Option<String>,
    /// Lists: CSV, also compressed (.gz), and workbooks (.xlsx)
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Import {
    pub fn run(self, env: &Env) -> Outcome {
        let store = Store::open(&self.data.data)?;
        for file in &self.files {
            let (file, _as_csv) = &self.opened(file)?;
            let plan = match &self.plan {
                Some(path) => {
                    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
                    Plan::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?
                }
                None => match self.guessed(&store, file)? {
                    Some(plan) => plan,
                    None => return Ok(()),
                },
            };
            self.run_one(&store, env, &plan, file)?;
        }
        store.close();
        Ok(())
    }

    /// The file itself; of a workbook, one sheet as CSV in a folder that goes when it has been read.
    fn opened(&self, file: &Path) -> Result<(PathBuf, Option<tempfile::TempDir>), Box<dyn Error>> {
        if !is_workbook(file) {
            return Ok((file.to_path_buf(), None));
        }
        let mut book = Workbook::open(file)?;
        let sheet = self.sheet.clone().or_else(|| book.sheets().next().map(str::to_string)).unwrap_or_default();
        let folder = tempfile::tempdir_in(&self.data.data)?;
        let path = folder.path().join(file.file_name().unwrap_or_default()).with_extension("csv");
        book.write_csv(&sheet, &path)?;
        Ok((path, Some(folder)))
    }

    fn guessed(&self, store: &Store, file: &Path) -> Result<Option<Plan>, Box<dyn Error>> {
        let headings = northing_crm::import::headings(file, ",")?;
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let plan = guess::guess(&store.model(), &northing_model::Labels::load()?, &name, &headings)
            .ok_or_else(|| format!("{name}: none of its headings is known ({}); write a plan, see plans/ for examples", headings.join(", ")))?;
        say!("# guessed from the headings of {name}\n{}", plan.to_toml());
        if !self.yes {
            say!("# Nothing was imported. Keep this as a plan and run it with --plan, or run it as it stands with --yes.");
            return Ok(None);
        }
        Ok(Some(plan))
    }

    fn run_one(&self, store: &Store, env: &Env, plan: &Plan, file: &Path) -> Outcome {
        let folder = self.data.data.join("imports");
        northing_store::private::folder(&folder)?;
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let rejects = folder.join(format!("{}-rejects.csv", name.trim_end_matches(".gz").trim_end_matches(".csv")));
        let mut writer: Option<std::io::BufWriter<std::fs::File>> = None;
        let mut failure: Option<std::io::Error> = None;
        let mut keep = |headings: &[String], reject: &Reject| {
            let mut write = || -> std::io::Result<()> {
                if writer.is_none() {
                    let mut file = std::io::BufWriter::new(northing_store::private::file(&rejects)?);
                    writeln!(file, "{}", line(headings.iter().map(String::as_str).chain(["northing_row", "northing_column", "northing_reason"])))?;
                    writer = Some(file);
                }
                let Some(file) = &mut writer else { return Ok(()) };
                let own = (0..headings.len()).map(|i| reject.values.get(i).map_or("", String::as_str));
                let row = reject.row.to_string();
                writeln!(file, "{}", line(own.chain([row.as_str(), &reject.column, &reject.reason])))
            };
            failure = write().err();
        };
        let report = northing_crm::import::import(store, env, plan, file, &mut keep)?;
        if let Some(writer) = &mut writer {
            writer.flush()?;
        }
        if let Some(e) = failure {
            return Err(format!("{}: {e}", rejects.display()).into());
        }
        say!("{name}: {} rows", report.rows);
        for (object, [created, changed, unchanged]) in &report.objects {
            say!("  {object}: {created} created, {changed} changed, {unchanged} unchanged");
        }
        for reject in report.rejects.iter().take(10) {
            say!("  row {}, {}: {}", reject.row, if reject.column.is_empty() { "whole row" } else { &reject.column }, reject.reason);
        }
        if report.rejected > 0 {
            say!("  {} rows were set aside in {}; correct them there and import that file", report.rejected, rejects.display());
        }
        Ok(())
    }
}

/// A CSV line. What a spreadsheet would run is made a text; numbers stay what they are.
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let number = |cell: &str| cell.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()) && cell.parse::<f64>().is_ok();
    let quoted: Vec<String> = cells
        .map(|cell| {
            let cell = if number(cell) { cell.to_string() } else { harmless(cell) };
            if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
        })
        .collect();
    quoted.join(",")
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    data: Data,
}

impl Check {
    pub fn run(self) -> Outcome {
        let checked = northing_crm::check::check(&Store::open(&self.data.data)?)?;
        say!("database: {}", checked.database);
        say!("facts at seq {}: {} rows in {} tables, {:.1} MiB", checked.seq, checked.rows, checked.tables, checked.bytes as f64 / MIB);
        for difference in checked.differences.iter().take(20) {
            say!("  differs: {difference}");
        }
        checked.outcome()?;
        say!("facts from the tables equal facts from the change log");
        Ok(())
    }
}

const MIB: f64 = 1_048_576.0;

#[derive(Args)]
pub struct Backup {
    #[command(flatten)]
    data: Data,
    /// The file to write; one that is a backup already is replaced once the new one is whole
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

impl Backup {
    pub fn run(self) -> Outcome {
        let made = northing_store::backup(&self.data.data, &self.to)?;
        let manifest = &made.manifest;
        say!("backed up to {}: changes up to {}, {} files of records, {:.1} MiB", self.to.display(), manifest.seq, manifest.files.as_ref().map_or(0, |f| f.len()), made.bytes as f64 / MIB);
        if !manifest.missing.is_empty() {
            say!("  the workspace itself lacks {} files that its records name, or has them damaged: {}", manifest.missing.len(), manifest.missing.iter().take(5).cloned().collect::<Vec<_>>().join(", "));
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct Restore {
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// A folder that is empty or not there yet
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

impl Restore {
    pub fn run(self) -> Outcome {
        let (manifest, checked) = northing_crm::check::restore(&self.from, &self.data)?;
        say!("restored to {}: changes up to {}, {} rows of facts; facts from the tables equal facts from the change log", self.data.display(), manifest.seq, checked.rows);
        say!("  the key northing.key is not part of a backup: copy it into {} before you serve it, or people with one-time codes set them up anew", self.data.display());
        match &manifest.files {
            Some(files) => say!("  {} files of records", files.len()),
            None => say!("  this backup was made before an upgrade and leaves out the files of records: copy the folder files/ of that workspace into {}", self.data.display()),
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct Demo {
    #[command(flatten)]
    data: Data,
    /// Another seed makes another business
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Serve it when it is made (or is there already)
    #[arg(long)]
    serve: bool,
    #[command(flatten)]
    listen: Listen,
}

#[derive(Args)]
pub struct Listen {
    /// Address to listen on; only loopback unless a proxy with TLS is in front
    #[arg(long, default_value = "127.0.0.1:7878")]
    listen: String,
    /// The address under which browsers reach it (https://crm.example.org), when a TLS proxy is in front
    #[arg(long)]
    public_url: Option<String>,
    /// The address of that proxy, as its requests come from it (repeat for several); this machine where none is named.
    /// Its word counts on where a request comes from, and nobody else is answered
    #[arg(long, value_name = "ADDRESS", requires = "public_url")]
    proxy: Vec<std::net::IpAddr>,
    /// Do not record who signs in and what they work with; the numbers of adoption then stay empty
    #[arg(long)]
    no_usage: bool,
    /// People may sign in with their account at this OpenID Connect provider (https://login.example.org); the client's
    /// secret is read from the variable NORTHING_OIDC_SECRET
    #[arg(long, requires = "oidc_client")]
    oidc_issuer: Option<String>,
    /// What the provider calls this server; the address to come back to is …/api/oidc/back
    #[arg(long, requires = "oidc_issuer")]
    oidc_client: Option<String>,
    /// What people call the provider
    #[arg(long, default_value = "OpenID", requires = "oidc_issuer")]
    oidc_name: String,
    /// How the log is written, to stderr; also from the variable NORTHING_LOG
    #[arg(long, value_parser = ["text", "json"])]
    log: Option<String>,
    /// What is logged: error, warn, info, debug, trace
    #[arg(long, default_value = "info")]
    log_level: tracing::Level,
    /// How many MiB the files of records may take; without it what the disk holds
    #[arg(long, value_name = "MIB")]
    files_limit: Option<u64>,
    /// How many seconds requests are still taken after SIGTERM, while /readyz says no already
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=8))]
    drain: u64,
}

impl Listen {
    /// The log that is asked for, here or in the variable NORTHING_LOG.
    fn log(&self) -> Outcome {
        let form = self.log.clone().or_else(|| std::env::var("NORTHING_LOG").ok());
        let form = match form.as_deref() {
            None | Some("text") => northing_server::log::Form::Text,
            Some("json") => northing_server::log::Form::Json,
            Some(other) => return Err(format!("the log is 'text' or 'json', not '{other}'").into()),
        };
        northing_server::log::begin(form, self.log_level);
        Ok(())
    }
}

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    listen: Listen,
}

impl Demo {
    pub fn run(self, env: Env) -> Outcome {
        self.listen.log()?;
        let store = Store::open(&self.data.data)?;
        if store.workspace()?.is_none() {
            let made = northing_crm::demo::fill(&store, &env, self.seed)?;
            say!("made a demo workspace in {}: {made} records", self.data.data.display());
        } else if !self.serve {
            return Err(format!("{} holds a workspace already", self.data.data.display()).into());
        }
        if self.serve {
            return serve(store, env, &self.listen);
        }
        store.close();
        Ok(())
    }
}

impl Serve {
    pub fn run(self, env: Env) -> Outcome {
        self.listen.log()?;
        let store = Store::open(&self.data.data)?;
        northing_crm::workspace::ensure(&store, &env, &northing_model::Record::new())?;
        northing_crm::workspace::ensure_pipeline(&store, &env)?;
        northing_crm::workspace::ensure_roles(&store, &env)?;
        serve(store, env, &self.listen)
    }
}

/// How often it is written who used what.
const USAGE_WRITTEN: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Args)]
pub struct Link {
    #[command(flatten)]
    data: Data,
    /// The address under which browsers reach the server
    #[arg(long, value_name = "URL", default_value = "http://localhost:7878")]
    public_url: String,
}

impl Link {
    pub fn run(self, env: &Env) -> Outcome {
        if !self.data.data.join("northing.db").exists() {
            return Err(format!("there is no workspace in {}; name its folder with --data", self.data.data.display()).into());
        }
        let store = Store::open(&self.data.data)?;
        say!("{}", northing_server::link(&store, env, &self.public_url)?);
        store.close();
        Ok(())
    }
}

fn serve(store: Store, env: Env, listen: &Listen) -> Outcome {
    let oidc = match (&listen.oidc_issuer, &listen.oidc_client) {
        (Some(issuer), Some(client)) => {
            let secret = std::env::var("NORTHING_OIDC_SECRET").map_err(|_| "--oidc-issuer: put the client's secret into the variable NORTHING_OIDC_SECRET")?;
            Some(northing_server::Oidc { issuer: issuer.clone(), client: client.clone(), secret, name: listen.oidc_name.clone(), plain: false })
        }
        _ => None,
    };
    let limits = northing_server::Limits { files: listen.files_limit.map(|mib| mib << 20), notice: Duration::from_secs(listen.drain), ..northing_server::Limits::default() };
    let config = northing_server::Config { listen: listen.listen.parse().map_err(|_| format!("--listen: '{}' is not an address like 127.0.0.1:7878", listen.listen))?, public_url: listen.public_url.clone(), oidc, proxies: listen.proxy.clone(), usage: (!listen.no_usage).then_some(USAGE_WRITTEN), limits };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(northing_server::serve(store, env, config));
    // What still scans columns for somebody who was cut off holds nobody up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(served?)
}

pub fn openapi() -> Outcome {
    let model = northing_model::Model::builtin()?;
    say!("{}", serde_json::to_string_pretty(&northing_server::openapi(&model))?);
    Ok(())
}
