//! Every number adds up from its records, in the demo too (KPIS.md G17), and says on how many it rests.

use crate::http::NOW;
use northing_crm::Env;
use northing_facts::Facts;
use northing_metrics::Cache;
use northing_model::Period;
use northing_store::Store;
use northing_testkit::adds_up::faults;

#[test]
fn n8_n16_every_number_of_the_demo_adds_up_from_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    northing_crm::demo::fill(&store, &Env::fixed(NOW, 3), 3).unwrap();
    let snapshot = Facts::load(&store).unwrap().snapshot();
    let today = (NOW / 86_400) as i32;
    for period in [Period { start: today - 200, end: today - 20 }, Period { start: today - 20, end: today + 40 }] {
        let (wrong, seen) = faults(&snapshot, period, NOW, &Cache::default());
        assert!(wrong.is_empty(), "{period:?}: {}", wrong.join("\n"));
        assert!(seen > 150, "only {seen} numbers");
    }
}
