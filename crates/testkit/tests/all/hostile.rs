//! What comes from outside and means harm, or is only broken: workbooks that unpack to a thousand times their size, that
//! lie about themselves or are cut short; texts that no parser expects (SECURITY.md §3, rows 15 and 16). Every reader
//! answers with a reason, within its memory.

use northing_crm::demo::Chance;
use northing_crm::import::sheet::Workbook;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const RELATIONS: &str = r#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>"#;
const BOOK: &str = r#"<workbook><sheets><sheet name="List" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const SHEET: &str = r#"<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>Since</t></is></c></row><row r="3"><c r="A3" t="str"><v>A &amp; B</v></c><c r="B3" s="1"><v>46348</v></c></row></sheetData></worksheet>"#;
const TEXTS: &str = r#"<sst uniqueCount="1"><si><r><t>Na</t></r><r><t>me</t></r><rPh><t>left out</t></rPh></si></sst>"#;
const STYLES: &str = r#"<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#;

/// A workbook of given parts; `repeat` writes a piece that often between two others without holding it all.
struct Part<'a>(&'a str, &'a str, (&'a str, usize), &'a str);

fn packed(to: &Path, parts: &[Part<'_>]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(to).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for Part(name, before, (piece, times), after) in parts {
        zip.start_file(*name, options).unwrap();
        zip.write_all(before.as_bytes()).unwrap();
        let block = piece.repeat(1.max((1 << 16) / piece.len().max(1)));
        let mut left = piece.len() * times;
        while left > 0 {
            let n = left.min(block.len());
            zip.write_all(&block.as_bytes()[..n]).unwrap();
            left -= n;
        }
        zip.write_all(after.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

fn workbook(to: &Path, sheet: Part<'_>, texts: Part<'_>) {
    let none = ("", 0);
    packed(to, &[Part("xl/_rels/workbook.xml.rels", RELATIONS, none, ""), Part("xl/workbook.xml", BOOK, none, ""), Part("xl/styles.xml", STYLES, none, ""), sheet, texts]);
}

fn csv_of(path: &Path) -> Result<String, String> {
    let out = path.with_extension("csv");
    let mut book = Workbook::open(path).map_err(|e| e.to_string())?;
    let sheet = book.sheets().next().unwrap_or_default().to_string();
    book.write_csv(&sheet, &out).map_err(|e| e.to_string())?;
    Ok(std::fs::read_to_string(out).unwrap())
}

const SHEET_AT: &str = "xl/worksheets/sheet1.xml";
const TEXTS_AT: &str = "xl/sharedStrings.xml";

/// A workbook with one sheet, `List`: columns `Name` and `Since`, an empty row, `A & B` of 2026-11-22.
pub fn small_workbook(path: &Path) {
    workbook(path, Part(SHEET_AT, SHEET, ("", 0), ""), Part(TEXTS_AT, TEXTS, ("", 0), ""));
}

#[test]
fn a_sheet_is_read_as_it_looks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    small_workbook(&path);
    assert_eq!(csv_of(&path).unwrap(), "Name,Since\n\"\"\nA & B,2026-11-22\n");
}

/// The part that runs with little memory: reads each workbook of a folder and says what came of it.
#[test]
fn reader_with_little_memory() {
    let Ok(folder) = std::env::var("NORTHING_HOSTILE_FOLDER") else { return };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "xlsx")).collect();
    paths.sort();
    for path in paths {
        let outcome = csv_of(&path).map_or_else(|e| format!("refused: {e}"), |csv| format!("read: {} bytes", csv.len()));
        println!("\n@{} {outcome}", path.file_stem().unwrap().to_string_lossy());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("\n@peak {}", status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0").trim().trim_end_matches("kB").trim());
}

#[test]
fn bombs_are_refused_within_the_memory_of_a_small_machine() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(format!("{name}.xlsx"));
    let (whole, none) = (Part(SHEET_AT, SHEET, ("", 0), ""), ("", 0));
    let texts = || Part(TEXTS_AT, TEXTS, none, "");
    let open = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"str\"><v>Name</v></c></row>";
    // What the sheet's own sizes say is not believed; cells far away cost nothing.
    workbook(&at("far"), Part(SHEET_AT, open, none, "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row></sheetData></worksheet>"), texts());
    workbook(&at("claims"), whole, Part(TEXTS_AT, "<sst count=\"999999999999999999\" uniqueCount=\"999999999999999999\"><si><t>Name</t></si></sst>", none, ""));
    // Each of these packs to under two megabytes.
    workbook(&at("sheet"), Part(SHEET_AT, open, ("<row><c t=\"str\"><v>x</v></c></row>", 9_000_000), "</sheetData></worksheet>"), texts());
    workbook(&at("texts"), Part(SHEET_AT, SHEET, none, ""), Part(TEXTS_AT, "<sst>", ("<si><t>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</t></si>", 8_000_000), "</sst>"));
    workbook(&at("empty-texts"), Part(SHEET_AT, SHEET, none, ""), Part(TEXTS_AT, "<sst>", ("<si/>", 14_000_000), "</sst>"));
    workbook(&at("one-cell"), Part(SHEET_AT, "<worksheet><sheetData><row r=\"1\"><c t=\"str\"><v>", ("a", 300_000_000), "</v></c></row></sheetData></worksheet>"), texts());
    workbook(&at("one-tag"), Part(SHEET_AT, "<worksheet><sheetData><row ", ("a=\"1\" ", 40_000_000), "></row></sheetData></worksheet>"), texts());
    workbook(&at("deep"), Part(SHEET_AT, "<worksheet><sheetData>", ("<a>", 60_000_000), "</sheetData></worksheet>"), texts());
    packed(&at("styles"), &[Part("xl/_rels/workbook.xml.rels", RELATIONS, none, ""), Part("xl/workbook.xml", BOOK, none, ""), Part("xl/styles.xml", "<styleSheet><cellXfs>", ("<xf numFmtId=\"14\"/>", 20_000_000), "")]);
    workbook(&at("wide"), Part(SHEET_AT, "<worksheet><sheetData><row>", ("<c t=\"str\"><v>x</v></c>", 16_384), "</row></sheetData></worksheet>"), texts());
    let laughs = "<!DOCTYPE lolz [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><worksheet><sheetData><row r=\"1\"><c t=\"str\"><v>&c;x</v></c></row></sheetData></worksheet>";
    workbook(&at("laughs"), Part(SHEET_AT, laughs, none, ""), texts());
    let outside = "<!DOCTYPE w [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><worksheet><sheetData><row r=\"1\"><c t=\"str\"><v>&f;x</v></c></row></sheetData></worksheet>";
    workbook(&at("outside"), Part(SHEET_AT, outside, none, ""), texts());
    packed(&at("climbs"), &[Part("../../climbed", "x", none, ""), Part("xl/_rels/workbook.xml.rels", "<Relationships><Relationship Id=\"rId1\" Target=\"../../../../etc/passwd\"/></Relationships>", none, ""), Part("xl/workbook.xml", BOOK, none, "")]);
    std::fs::write(at("nothing"), b"PK\x03\x04").unwrap();
    let run = Command::new("sh")
        .args(["-c", "ulimit -v 1000000; exec \"$0\" --exact hostile::reader_with_little_memory --nocapture --test-threads 1"])
        .arg(std::env::current_exe().unwrap())
        .env("NORTHING_HOSTILE_FOLDER", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    let of = |name: &str| said.lines().find_map(|l| l.strip_prefix(&format!("@{name} "))).unwrap_or_else(|| panic!("{name} is missing: {said}"));
    println!("{said}");
    for name in ["sheet", "texts", "one-cell", "one-tag", "deep", "empty-texts", "styles", "wide", "climbs", "nothing"] {
        assert!(of(name).starts_with("refused: "), "{name}: {}", of(name));
    }
    for name in ["far", "claims", "laughs", "outside"] {
        assert!(of(name).starts_with("read: ") && !of(name).contains("root"), "{name}: {}", of(name));
    }
    assert_eq!(std::fs::read_to_string(at("laughs").with_extension("csv")).unwrap(), "x\n", "an entity of the file's own was put in");
    assert_eq!(std::fs::read_to_string(at("outside").with_extension("csv")).unwrap(), "x\n", "another file was read");
    let peak: u64 = of("peak").parse().unwrap();
    assert!(peak < 256 << 10, "{peak} KiB at the peak\n{said}");
}

/// Something that was well formed, with pieces changed, doubled, moved or gone.
fn spoiled(chance: &mut Chance, text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() as u64 + 1) as usize;
        let end = (at + chance.below(24) as usize).min(bytes.len());
        match chance.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = bytes[at..end].repeat(1 + chance.below(40) as usize);
                bytes.splice(at..at, piece);
            }
            2 => bytes.insert(at, chance.below(256) as u8),
            3 => bytes.truncate(at),
            _ => {
                let odd: &[&str] = &["'", "\"", "(((((((((", "\0", "\u{202e}", "9223372036854775808", "-", "%", "é", "۳", "=", ",", "[", "1e400", "\n", "not not", "<![CDATA["];
                bytes.splice(at..at, chance.pick(odd).bytes());
            }
        }
    }
    bytes
}

#[test]
fn no_text_makes_a_parser_fall_over() {
    let seed: u64 = std::env::var("NORTHING_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_122);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let whole = |path: &str| std::fs::read(root.join(path)).unwrap();
    let filters = String::from_utf8(whole("cases/filters/basics.toml")).unwrap();
    let mut filters: Vec<&str> = filters.lines().filter_map(|l| l.strip_prefix("condition = \"").map(|f| f.trim_end_matches('"'))).collect();
    filters.extend(["customer.segment in ('a', 'b') and not (amount > 10.50 or created_at is null)", "a + b * (c - 2) / 3"]);
    let zone = northing_model::Zone::utc();
    let hours = r#"{"mon": [["09:00", "12:30"], ["13:00", "17:00"]], "sat": [["10:00", "14:00"]]}"#;
    let plans: Vec<Vec<u8>> = ["plans/zendesk.toml", "plans/itsm-events.toml"].map(whole).into();
    let plain = folder.path().join("list.csv");
    let mut parsed = 0;
    for _ in 0..20_000 {
        let base = *chance.pick(&filters);
        let bytes = spoiled(&mut chance, base.as_bytes());
        let text = String::from_utf8_lossy(&bytes);
        parsed += usize::from(northing_model::Expr::parse(&text).is_ok());
        let _ = northing_model::formula::Formula::parse(&text);
        let _ = (northing_model::text::words(&text), northing_model::text::around(&text, &["a".into()]));
        let (day, open) = (spoiled(&mut chance, b"2026-11-22T18:25:00+01:00"), spoiled(&mut chance, hours.as_bytes()));
        let (day, open) = (String::from_utf8_lossy(&day), String::from_utf8_lossy(&open));
        let _ = (northing_model::value::parse_instant(&day), northing_model::value::parse_date(&day), northing_model::money::parse_fixed(&day, 6), northing_model::Zone::parse(&day));
        let _ = northing_model::Schedule::parse("s", zone.clone(), 0, Some(&open), Some(&open));
    }
    assert!(parsed > 500, "only {parsed} were still filters: the changes are too coarse to try anything");
    for _ in 0..400 {
        let base = chance.pick(&plans).clone();
        let plan = spoiled(&mut chance, &base);
        let _ = northing_crm::import::Plan::parse(&String::from_utf8_lossy(&plan));
        std::fs::write(&plain, spoiled(&mut chance, "Name;\"E-mail\";Since\n\"A \"\"B\"\"\";a@example.org;22.11.2026\n;;\n".as_bytes())).unwrap();
        let _ = northing_crm::import::look(&plain, 10);
    }
}

#[test]
fn no_workbook_makes_the_reader_fall_over() {
    let seed: u64 = std::env::var("NORTHING_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_122);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    let none = ("", 0);
    let mut read = 0;
    for _ in 0..1_500 {
        let mut parts = [RELATIONS, BOOK, STYLES, SHEET, TEXTS].map(|p| p.as_bytes().to_vec());
        let one = chance.below(5) as usize;
        parts[one] = spoiled(&mut chance, &parts[one]);
        let [relations, book, styles, sheet, texts] = parts.map(|p| String::from_utf8_lossy(&p).into_owned());
        packed(&path, &[Part("xl/_rels/workbook.xml.rels", &relations, none, ""), Part("xl/workbook.xml", &book, none, ""), Part("xl/styles.xml", &styles, none, ""), Part(SHEET_AT, &sheet, none, ""), Part(TEXTS_AT, &texts, none, "")]);
        read += usize::from(csv_of(&path).is_ok());
        // The container, too.
        let bytes = spoiled(&mut chance, &std::fs::read(&path).unwrap());
        std::fs::write(&path, bytes).unwrap();
        let _ = csv_of(&path);
    }
    assert!(read > 300, "only {read} were still workbooks");
}
