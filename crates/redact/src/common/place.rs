//! Places that are the same everywhere: this machine, the regions of clouds, the folders of a system or a project.

/// Names of folders that systems and projects have.
const FOLDERS: &[&str] = &[
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
    "api",
    "app",
    "apps",
    "assets",
    "backend",
    "backup",
    "backups",
    "bin",
    "boot",
    "build",
    "c:",
    "cache",
    "cert",
    "certs",
    "client",
    "code",
    "conf",
    "config",
    "configs",
    "containers",
    "current",
    "d:",
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
    "home",
    "hosts",
    "html",
    "images",
    "img",
    "include",
    "javascript",
    "keys",
    "lib",
    "lib64",
    "libexec",
    "local",
    "log",
    "logs",
    "mail",
    "man",
    "media",
    "migrations",
    "mnt",
    "mysql",
    "nginx",
    "node",
    "node_modules",
    "null",
    "opt",
    "out",
    "output",
    "packages",
    "pki",
    "postgresql",
    "proc",
    "program files",
    "public",
    "python",
    "random",
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
    "shm",
    "site",
    "site-packages",
    "sites",
    "spool",
    "sql",
    "src",
    "srv",
    "ssl",
    "static",
    "stderr",
    "stdout",
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
    "urandom",
    "users",
    "usr",
    "var",
    "vendor",
    "web",
    "windows",
    "work",
    "workdir",
    "workspace",
    "www",
    "zero",
    "~",
];

/// `/usr/bin`, `./dist`, `C:\Windows`: a path of which every component is a common folder's name.
pub(super) fn is_folder(value: &str) -> bool {
    let separator = ['/', '\\'];
    value.contains(separator) && {
        let path = value.strip_prefix('/').unwrap_or(value);
        let path = path.strip_suffix(separator).unwrap_or(path);
        path.split(separator).all(|name| FOLDERS.contains(&name))
    }
}

/// `linux/amd64`, `linux/arm/v7`: what a container image or a program is built for.
pub(super) fn is_platform(value: &str) -> bool {
    const SYSTEMS: &[&str] = &["android", "darwin", "freebsd", "ios", "js", "linux", "wasip1", "windows"];
    const MACHINES: &[&str] = &[
        "386", "aarch64", "amd64", "arm", "arm64", "armv7", "i386", "i686", "ppc64le", "riscv64", "s390x", "wasm",
        "x64", "x86", "x86_64",
    ];
    let (system, machine) = value.split_once(['/', '-']).unwrap_or_default();
    let (machine, variant) = machine.split_once('/').unwrap_or((machine, ""));
    SYSTEMS.contains(&system) && MACHINES.contains(&machine) && ["", "v5", "v6", "v7", "v8"].contains(&variant)
}

/// `Europe/Berlin`, `America/New_York`: a time zone that the tests of most projects mention.
pub(super) fn is_time_zone(value: &str) -> bool {
    const AREAS: &[&str] =
        &["africa", "america", "antarctica", "asia", "atlantic", "australia", "etc", "europe", "indian", "pacific"];
    const CITIES: &[&str] = &[
        "amsterdam",
        "athens",
        "auckland",
        "bangkok",
        "berlin",
        "brussels",
        "bucharest",
        "budapest",
        "buenos_aires",
        "cairo",
        "chicago",
        "copenhagen",
        "denver",
        "dubai",
        "dublin",
        "gmt",
        "helsinki",
        "hong_kong",
        "istanbul",
        "jakarta",
        "johannesburg",
        "kiev",
        "kolkata",
        "kyiv",
        "lagos",
        "lisbon",
        "london",
        "los_angeles",
        "madrid",
        "manila",
        "melbourne",
        "mexico_city",
        "moscow",
        "nairobi",
        "new_york",
        "oslo",
        "paris",
        "phoenix",
        "prague",
        "riyadh",
        "rome",
        "santiago",
        "sao_paulo",
        "seoul",
        "shanghai",
        "singapore",
        "stockholm",
        "sydney",
        "tokyo",
        "toronto",
        "utc",
        "vancouver",
        "vienna",
        "warsaw",
        "zurich",
    ];
    value.split_once('/').is_some_and(|(area, city)| AREAS.contains(&area) && CITIES.contains(&city))
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
