//! `serve`, `demo`, `import` and `check`.

use crate::Data;
use clap::Args;
use northing_crm::Env;
use northing_crm::import::sheet::{Workbook, is_workbook};
use northing_crm::import::{Plan, Reject, guess};
use northing_facts::Facts;
use northing_store::Store;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

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
        std::fs::create_dir_all(&folder)?;
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let rejects = folder.join(format!("{}-rejects.csv", name.trim_end_matches(".gz").trim_end_matches(".csv")));
        let mut writer: Option<std::io::BufWriter<std::fs::File>> = None;
        let mut failure: Option<std::io::Error> = None;
        let mut keep = |headings: &[String], reject: &Reject| {
            let mut write = || -> std::io::Result<()> {
                if writer.is_none() {
                    let mut file = std::io::BufWriter::new(std::fs::File::create(&rejects)?);
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

/// A CSV line. Cells that a spreadsheet would take for a formula get an apostrophe in front.
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = cells
        .map(|cell| {
            let number = cell.parse::<f64>().is_ok();
            let formula = !number && cell.starts_with(['=', '+', '-', '@', '\t', '\0']);
            let cell = if formula { format!("'{cell}") } else { cell.to_string() };
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
        let store = Store::open(&self.data.data)?;
        let integrity = store.integrity()?;
        say!("database: {integrity}");
        let seq = store.seq();
        let loaded = Facts::load(&store)?.snapshot();
        let replayed = Facts::replay(&store, seq, None)?.snapshot();
        let differences = northing_facts::snapshot::differences(&loaded, &replayed);
        say!("facts at seq {seq}: {} rows in {} tables, {:.1} MiB", loaded.rows(), loaded.tables.len(), loaded.bytes() as f64 / 1_048_576.0);
        for difference in differences.iter().take(20) {
            say!("  differs: {difference}");
        }
        if integrity != "ok" || !differences.is_empty() {
            return Err(format!("{} differences between the tables and the change log", differences.len()).into());
        }
        say!("facts from the tables equal facts from the change log");
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
        let store = Store::open(&self.data.data)?;
        northing_crm::workspace::ensure(&store, &env, &northing_model::Record::new())?;
        northing_crm::workspace::ensure_pipeline(&store, &env)?;
        northing_crm::workspace::ensure_roles(&store, &env)?;
        northing_crm::workspace::ensure_promises(&store, &env)?;
        serve(store, env, &self.listen)
    }
}

fn serve(store: Store, env: Env, listen: &Listen) -> Outcome {
    let oidc = match (&listen.oidc_issuer, &listen.oidc_client) {
        (Some(issuer), Some(client)) => {
            let secret = std::env::var("NORTHING_OIDC_SECRET").map_err(|_| "--oidc-issuer: put the client's secret into the variable NORTHING_OIDC_SECRET")?;
            Some(northing_server::Oidc { issuer: issuer.clone(), client: client.clone(), secret, name: listen.oidc_name.clone() })
        }
        _ => None,
    };
    let config = northing_server::Config { listen: listen.listen.parse().map_err(|_| format!("--listen: '{}' is not an address like 127.0.0.1:7878", listen.listen))?, public_url: listen.public_url.clone(), oidc };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(northing_server::serve(store, env, config))?;
    Ok(())
}

pub fn openapi() -> Outcome {
    let model = northing_model::Model::builtin()?;
    say!("{}", serde_json::to_string_pretty(&northing_server::openapi(&model))?);
    Ok(())
}
