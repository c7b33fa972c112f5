//! Places that are the same everywhere: this machine, the regions of clouds, the folders of a system or a project.

/// Names of folders that systems and projects have.
const FOLDERS: &[&str] = &[
    "~",
    ".",
    "..",
    ".aws",
    ".cache",
    ".cargo",
    ".config",
    ".docker",
    ".git",
    ".github",
    ".local",
    ".next",
    ".npm",
    ".nuxt",
    ".output",
    ".ssh",
    ".svelte-kit",
    ".venv",
    "app",
    "apps",
    "assets",
    "backup",
    "backups",
    "bin",
    "boot",
    "build",
    "cache",
    "cert",
    "certs",
    "code",
    "conf",
    "config",
    "configs",
    "containers",
    "data",
    "database",
    "db",
    "deploy",
    "dev",
    "dist",
    "docker",
    "docs",
    "downloads",
    "etc",
    "files",
    "fonts",
    "frontend",
    "backend",
    "home",
    "html",
    "images",
    "img",
    "include",
    "javascript",
    "lib",
    "lib64",
    "libexec",
    "local",
    "log",
    "logs",
    "man",
    "media",
    "migrations",
    "mnt",
    "mysql",
    "nginx",
    "node_modules",
    "opt",
    "out",
    "output",
    "packages",
    "pki",
    "postgresql",
    "proc",
    "public",
    "redis",
    "releases",
    "root",
    "run",
    "runner",
    "sbin",
    "scripts",
    "secrets",
    "server",
    "share",
    "shared",
    "site",
    "site-packages",
    "sites",
    "spool",
    "src",
    "srv",
    "ssl",
    "static",
    "storage",
    "sys",
    "system",
    "systemd",
    "target",
    "temp",
    "templates",
    "test",
    "tests",
    "tls",
    "tmp",
    "ubuntu",
    "upload",
    "uploads",
    "usr",
    "var",
    "vendor",
    "web",
    "work",
    "workdir",
    "workspace",
    "www",
];

/// `/usr/bin`, `./dist`: a path of which every component is a common folder's name.
pub(super) fn is_folder(value: &str) -> bool {
    value.contains('/') && {
        let path = value.strip_prefix('/').unwrap_or(value);
        let path = path.strip_suffix('/').unwrap_or(path);
        path.split('/').all(|name| FOLDERS.contains(&name))
    }
}

/// `127.0.0.1`, `localhost:3000`, `http://[::1]:8080/`: this machine, without a user, a password or a path.
pub(super) fn is_loopback(value: &str) -> bool {
    let (scheme, rest) = value.split_once("://").unwrap_or(("", value));
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) && scheme.len() <= 12;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        _ => (rest, ""),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    is_scheme && is_port && is_local(host)
}

fn is_local(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

const DIRECTIONS: &[&str] = &[
    "central",
    "north",
    "northcentral",
    "northeast",
    "northwest",
    "south",
    "southcentral",
    "southeast",
    "southwest",
    "east",
    "west",
    "westcentral",
];

/// The beginnings of the names of AWS's and Google's regions.
const AREAS: &[&str] = &[
    "af",
    "africa",
    "ap",
    "asia",
    "australia",
    "ca",
    "cn",
    "eu",
    "europe",
    "il",
    "me",
    "mx",
    "northamerica",
    "sa",
    "southamerica",
    "us",
    "us-gov",
];

/// `us-east-1`, `eu-central-1a`, `europe-west1-b`: regions and zones of AWS and Google; and regions of Azure.
pub(super) fn is_region(value: &str) -> bool {
    let zone = |text: &str| text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_lowercase());
    let region = value.rsplit_once('-').filter(|(_, last)| zone(last)).map_or(value, |(region, _)| region);
    // AWS's zones follow the number at once.
    let region = region.strip_suffix(|last| ('a'..='f').contains(&last)).unwrap_or(region);
    let is_in =
        |area: &&str| region.strip_prefix(*area).and_then(|rest| rest.strip_prefix('-')).is_some_and(is_numbered);
    AREAS.iter().any(is_in) || is_azure_region(value)
}

/// `east-1`, `central2`.
fn is_numbered(text: &str) -> bool {
    let direction = text.trim_end_matches(|character: char| character.is_ascii_digit());
    let digits = text.len() - direction.len();
    (1..=2).contains(&digits) && DIRECTIONS.contains(&direction.strip_suffix('-').unwrap_or(direction))
}

/// `westeurope`, `eastus2`, `germanywestcentral`.
fn is_azure_region(value: &str) -> bool {
    const COUNTRIES: &[&str] = &[
        "asia",
        "australia",
        "brazil",
        "canada",
        "europe",
        "france",
        "germany",
        "india",
        "israel",
        "italy",
        "japan",
        "korea",
        "mexico",
        "norway",
        "poland",
        "qatar",
        "southafrica",
        "spain",
        "sweden",
        "switzerland",
        "uae",
        "uk",
        "us",
    ];
    let value = value.strip_suffix(['2', '3']).unwrap_or(value);
    COUNTRIES.iter().any(|country| {
        let around = value.strip_prefix(country).or_else(|| value.strip_suffix(country));
        around.is_some_and(|direction| DIRECTIONS.contains(&direction))
    })
}
