//! `serve`, `demo`, `import`, `check`, `backup` and `restore`.

use crate::Data;
use clap::Args;
use northing_crm::Env;
use northing_crm::import::sheet::{Workbook, is_workbook};
use northing_crm::import::{About, Looked, Plan, Question, Reject, Report, Terms, guess, import_on, look, plan::REJECTS, questions};
use northing_model::text::harmless;
use northing_store::Store;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
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

/// How an import ended where it did not bring everything in: the program's exit status. The worst of several files counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Well = 0,
    /// Rows were set aside.
    Rejected = 5,
    /// Something has to be said before the file can be imported.
    Asked = 4,
    /// Nothing was guessed.
    Unknown = 3,
}

impl Ended {
    /// The worse of two: what was not imported at all goes before what was in part.
    fn and(self, other: Self) -> Self {
        let rank = |e: Self| [Ended::Well, Ended::Rejected, Ended::Asked, Ended::Unknown].iter().position(|x| *x == e);
        if rank(other) > rank(self) { other } else { self }
    }
}

/// Rows or values that could not be read, as a list beside the workspace; made on first need.
struct Problems {
    path: PathBuf,
    new: PathBuf,
    writer: Option<std::io::BufWriter<std::fs::File>>,
    failure: Option<std::io::Error>,
}

impl Problems {
    fn new(path: PathBuf) -> Self {
        let new = path.with_extension("csv.part");
        Self { path, new, writer: None, failure: None }
    }

    fn keep(&mut self, headings: &[String], reject: &Reject) {
        let own: Vec<usize> = (0..headings.len()).filter(|i| !headings[*i].starts_with("northing_")).collect();
        let mut write = || -> std::io::Result<()> {
            if self.writer.is_none() {
                let mut file = std::io::BufWriter::new(northing_store::private::file(&self.new)?);
                writeln!(file, "{}", line(own.iter().map(|i| headings[*i].as_str()).chain(["northing_row", "northing_column", "northing_reason"])))?;
                self.writer = Some(file);
            }
            let Some(file) = &mut self.writer else { return Ok(()) };
            let cells = own.iter().map(|i| reject.values.get(*i).map_or("", String::as_str));
            let row = reject.row.to_string();
            writeln!(file, "{}", line(cells.chain([row.as_str(), &reject.column, &reject.reason])))
        };
        if let Err(e) = write() {
            self.failure.get_or_insert(e);
        }
    }

    /// Puts the list in the place of an earlier one; without anything in it the earlier one goes.
    fn end(self) -> Outcome {
        let told = |e: std::io::Error| format!("{}: {e}", self.path.display());
        if let Some(e) = self.failure {
            return Err(told(e).into());
        }
        match self.writer {
            Some(mut writer) => {
                writer.flush().map_err(told)?;
                std::fs::rename(&self.new, &self.path).map_err(told)?;
            }
            None if self.path.exists() => std::fs::remove_file(&self.path).map_err(told)?,
            None => {}
        }
        Ok(())
    }
}

impl Import {
    pub fn run(self, env: &Env) -> Result<ExitCode, Box<dyn Error>> {
        let store = Store::open(&self.data.data)?;
        let mut ended = Ended::Well;
        for file in &self.files {
            let (file, _as_csv) = &self.opened(file)?;
            let plan = match &self.plan {
                Some(path) => {
                    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
                    Plan::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?
                }
                None => match self.guessed(&store, file)? {
                    (Some(plan), Ended::Well) => plan,
                    (_, how) => {
                        ended = ended.and(how);
                        continue;
                    }
                },
            };
            ended = ended.and(self.run_one(&store, env, &plan, file)?);
        }
        store.close();
        Ok(ExitCode::from(ended as u8))
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

    /// A plan out of the file's headings and first rows, shown; it is run only where somebody says so and nothing is open.
    fn guessed(&self, store: &Store, file: &Path) -> Result<(Option<Plan>, Ended), Box<dyn Error>> {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let (delimiter, headings, sample, rows) = look(file, 1_000)?;
        let (model, labels) = (store.model(), northing_model::Labels::load()?);
        let looked = Looked { name: &name, headings: &headings, sample: &sample };
        let guess = guess::guess(&model, &labels, looked);
        let object = guess.mapping.as_ref().and_then(|m| model.object(&m.object));
        let (Some(mapping), Some(object), true) = (&guess.mapping, object, rows > 0) else {
            match &guess.plan {
                Some(plan) => say!("# {name}: this is a table of a connector, whose records lie in several files; import it with {plan}"),
                None if rows == 0 => say!("# {name}: it has no row below its headings"),
                None => say!("# {name}: none of its headings is known ({}); write a plan: docs/plan-language.md says how, plans/ has examples", headings.join(", ")),
            }
            return Ok((None, Ended::Unknown));
        };
        let currency = store.currency();
        let asked = questions(object, &labels, looked, mapping, currency, &guess.others);
        let plan = mapping.plan(object, &labels, &name, &delimiter, &name, &headings);
        let known = mapping.known.as_ref().map_or_else(|| "guessed from the headings".to_string(), |known| format!("known as {known}"));
        say!("# {name}: {known}\n{}", plan.to_toml());
        for question in &asked {
            say!("# Please say: {}", sentence(question));
        }
        if !asked.is_empty() {
            say!("# Nothing was imported. Keep this as a plan, put in what is open, and run it with --plan.");
            return Ok((None, Ended::Asked));
        }
        if !self.yes {
            say!("# Nothing was imported. Keep this as a plan and run it with --plan, or run it as it stands with --yes.");
        }
        Ok((Some(plan).filter(|_| self.yes), Ended::Well))
    }

    fn run_one(&self, store: &Store, env: &Env, plan: &Plan, file: &Path) -> Result<Ended, Box<dyn Error>> {
        let folder = self.data.data.join("imports");
        northing_store::private::folder(&folder)?;
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = name.strip_suffix(REJECTS).unwrap_or(name.trim_end_matches(".gz").trim_end_matches(".csv"));
        let mut rejects = Problems::new(folder.join(format!("{stem}{REJECTS}")));
        let left = std::cell::RefCell::new(Problems::new(folder.join(format!("{stem}-left-out.csv"))));
        let terms = Terms { actor: "import".into(), dry: false, go_on: &|_| true, on_left: &|headings, value| left.borrow_mut().keep(headings, value) };
        let report = import_on(&terms, store, env, plan, file, &mut |headings, reject| rejects.keep(headings, reject))?;
        let (rejects_at, left_at) = (rejects.path.clone(), left.borrow().path.clone());
        rejects.end()?;
        left.into_inner().end()?;
        tell(&name, &report, &rejects_at, &left_at);
        Ok(if report.rejected > 0 { Ended::Rejected } else { Ended::Well })
    }
}

/// What came of a file.
fn tell(name: &str, report: &Report, rejects: &Path, left: &Path) {
    say!("{name}: {} rows", report.rows);
    for (object, [created, changed, unchanged]) in &report.objects {
        say!("  {object}: {created} created, {changed} changed, {unchanged} unchanged");
    }
    for (object, count) in &report.undated {
        say!("  {object}: {count} are closed and have no day of closing; numbers that need it leave them out. Say which column holds it with a moment in the plan (closed = true)");
    }
    if report.currencies.len() > 1 {
        say!("  amounts: {}", report.currencies.iter().map(|(code, n)| format!("{n} in {code}")).collect::<Vec<_>>().join(", "));
    }
    for reject in report.rejects.iter().take(10) {
        say!("  row {}, {}: {}", reject.row, if reject.column.is_empty() { "whole row" } else { &reject.column }, reject.reason);
    }
    if report.rejected > 0 {
        say!("  {} rows were set aside in {}; correct them there and import that file by the same plan", report.rejected, rejects.display());
    }
    for reject in report.left.iter().take(10) {
        say!("  row {}, {}: left out, since {}", reject.row, reject.column, reject.reason);
    }
    if report.left_out > 0 {
        say!("  {} values were left out; they are listed in {}", report.left_out, left.display());
    }
}

/// A question as the terminal puts it.
fn sentence(question: &Question) -> String {
    let Question { column, field, .. } = question;
    let (options, words) = (question.options.join(", "), question.words.join(" | "));
    match question.about {
        About::Object => format!("what the list is of; it may be: {options}"),
        About::Required => format!("what fills '{field}', which every record needs"),
        About::Dates => format!("in '{column}', whether the day or the month is first ({words}): dates = \"%d/%m/%Y\" or \"%m/%d/%Y\" under [[file]]"),
        About::Currency => format!("of which currency the amounts in '{column}' are ({words}): currency = one of {options}, under [[file]]"),
        About::Words => format!("what these mean for '{field}' in '{column}': {words} (one of: {options})"),
        About::Closed => format!("which column says when closed records were closed ('{field}'): a moment with closed = true; without it numbers by the day of closing leave them out"),
        About::Column => format!("whether '{column}' fills '{field}'; it hardly can ({words})"),
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
    /// Memory in megabytes for caches, facts of the past and questions, beside the facts of the present; without it a
    /// quarter of what there is
    #[arg(long, value_name = "MB")]
    memory: Option<usize>,
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
    /// The log that is asked for, here or in the variable NORTHING_LOG; it goes on until what is returned goes.
    fn log(&self) -> Result<northing_server::log::Guard, Box<dyn Error>> {
        let form = self.log.clone().or_else(|| std::env::var("NORTHING_LOG").ok());
        let form = match form.as_deref() {
            None | Some("text") => northing_server::log::Form::Text,
            Some("json") => northing_server::log::Form::Json,
            Some(other) => return Err(format!("the log is 'text' or 'json', not '{other}'").into()),
        };
        Ok(northing_server::log::begin(form, self.log_level))
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
        let _log = self.listen.log()?;
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
        let _log = self.listen.log()?;
        let store = Store::open(&self.data.data)?;
        northing_crm::workspace::ensure(&store, &env, &northing_model::Record::new())?;
        northing_crm::workspace::ensure_pipeline(&store, &env)?;
        northing_crm::workspace::ensure_roles(&store, &env)?;
        northing_crm::workspace::ensure_promises(&store, &env)?;
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
    let listens = listen.listen.parse().map_err(|_| format!("--listen: '{}' is not an address like 127.0.0.1:7878", listen.listen))?;
    let config = northing_server::Config { public_url: listen.public_url.clone(), oidc, proxies: listen.proxy.clone(), usage: (!listen.no_usage).then_some(USAGE_WRITTEN), limits, memory: crate::memory::budget(listen.memory)?, ..northing_server::Config::new(listens) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(northing_server::serve(store, env, config));
    // What still scans columns for somebody who was cut off holds nobody up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(served?)
}

/// The reference of the plan language, as docs/plan-language.md keeps it.
pub fn plan_language() -> Outcome {
    say!("{}", northing_crm::import::reference().trim_end());
    Ok(())
}

pub fn openapi() -> Outcome {
    let model = northing_model::Model::builtin()?;
    say!("{}", serde_json::to_string_pretty(&northing_server::openapi(&model))?);
    Ok(())
}
