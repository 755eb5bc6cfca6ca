//! The words of the demo business: people, services, sources, companies.

pub const TEAMS: [(&str, &str); 3] = [("North", "Poland"), ("Central", "Hungary"), ("Key accounts", "Germany")];
pub const PEOPLE: [(&str, usize); 9] = [
    ("Maja Nowak", 0), ("Tom Reed", 0), ("Ilya Sokolov", 0), ("Réka Szabó", 1), ("Ádám Tóth", 1), ("Wei Zhang", 1), ("Sara Karimi", 2), ("Nora Lind", 2), ("Omid Rahimi", 2),
];
/// Name, category, price in cents, weight of choice.
pub const SERVICES: [(&str, &str, i64, u64); 11] = [
    ("Site audit", "Consulting", 45_000, 18), ("Maintenance visit", "Maintenance", 18_000, 30), ("Deep clean", "Cleaning", 32_000, 22), ("Window care", "Cleaning", 14_500, 20),
    ("Heating check", "Maintenance", 21_000, 16), ("Emergency call-out", "Maintenance", 39_000, 8), ("Facility plan", "Consulting", 180_000, 6), ("Green areas", "Grounds", 27_500, 12),
    ("Winter service", "Grounds", 52_000, 7), ("Premium care", "Consulting", 310_000, 4), ("Training day", "Consulting", 95_000, 5),
];
/// Source, channel, weight of leads, chance in a hundred to become a deal, monthly cost in cents per lead.
pub const SOURCES: [(&str, &str, u64, u64, i64); 7] = [
    ("Search", "online", 30, 44, 1_600), ("Referral", "partner", 16, 66, 500), ("Social", "online", 20, 30, 1_300), ("Email", "online", 12, 40, 600),
    ("Events", "offline", 8, 52, 4_200), ("Partners", "partner", 9, 58, 1_500), ("Directory", "online", 5, 26, 900),
];
pub const FIRST: [&str; 32] = [
    "Baltic", "Harbor", "Garnet", "Ember", "Drift", "Solace", "Quarry", "Tundra", "Cobalt", "Nimbus", "Juniper", "Fjord", "Alder", "Cedar", "Larch", "Orchid", "Willow", "Meadow", "Summit",
    "Vector", "Lumen", "Aurora", "Delta", "Kestrel", "Falcon", "Heron", "Marble", "Copper", "Silver", "Amber", "Opal", "Coral",
];
/// Second word of a company's name, its industry, its segment's weight towards large.
pub const TRADES: [(&str, &str); 14] = [
    ("Freight", "Logistics"), ("Veterinary", "Healthcare"), ("Accounting", "Finance"), ("Fitness", "Leisure"), ("Coworking", "Real estate"), ("Therapy", "Healthcare"), ("Landscaping", "Construction"),
    ("Dental", "Healthcare"), ("Hosting", "IT services"), ("Cleaning", "Services"), ("Bakery", "Food"), ("Hotel", "Hospitality"), ("School", "Education"), ("Studio", "Media"),
];
pub const COUNTRIES: [(&str, u64); 5] = [("Poland", 46), ("Hungary", 20), ("Germany", 18), ("Czechia", 10), ("Austria", 6)];
/// Segment, weight, size of deals in percent, chance in a hundred of another order each month.
pub const SEGMENTS: [(&str, u64, i64, u64); 3] = [("Small", 58, 70, 16), ("Medium", 30, 130, 26), ("Large", 12, 320, 38)];
pub const AGENTS: [&str; 4] = ["Ola Wiśniewska", "Ben Carter", "Lila Moradi", "Chen Jie"];
pub const TOPICS: [&str; 6] = ["Change of date", "Invoice", "Quality of work", "Access to the site", "New request", "Contract"];
pub const MAILINGS: [&str; 4] = ["Season check", "Newsletter", "Offer for regulars", "New services"];
pub const LOST_REASONS: [&str; 5] = ["Price", "No budget", "Competitor", "No answer", "Timing"];

/// Answers that are given again and again.
pub const CANNED: &[(&str, &str)] = &[
    ("We are on it", "Thank you for writing. We are looking into it and come back to you today."),
    ("A new date", "The visit is moved. Please tell us whether the new date suits you."),
    ("Invoice again", "The invoice is attached once more. Please tell us if anything in it is not right."),
];

/// What has to be done these days.
pub const TASKS: &[&str] = &["Call about the renewal", "Send the offer", "Prepare the visit", "Check the measurements", "Ask for feedback", "Order filters", "Plan the spring round", "Write the report"];

/// What is said on a ticket.
pub fn said(author: &str) -> &'static [&'static str] {
    match author {
        "customer" => &["Could you have a look, please?", "It does not work as it did last week.", "When can somebody come?", "Thank you, that helps. One more question: what will it cost?"],
        "staff" => &["Thank you for writing. We are looking into it.", "A colleague comes tomorrow before noon.", "It is done; please tell us if anything is missing.", "We have sent the papers by mail."],
        _ => &["We have your request and answer within four working hours."],
    }
}
