# Puts the tools on the PATH of the job's later steps on Windows. The counterpart of install.sh, in the same order: the programs in
# INPUT_BIN_DIR; the runner's tool cache, if the SHA-256 of each program is the one in dist.json; a download, checked the same way;
# a build of this checkout. It is given no secret but the token for `verify`, and passes none on.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue' # the progress bar slows a download down
Set-StrictMode -Version Latest

function Fail([int] $code, [string] $message, [string] $help) {
    [Console]::Error.WriteLine("error: $message`n  help: $help")
    [Console]::Error.WriteLine("::error title=deploy-action::$("$message ($help)".Replace('%', '%25'))")
    exit $code
}
function Warn([string] $message) {
    [Console]::Error.WriteLine("::warning title=deploy-action::$($message.Replace('%', '%25'))")
}

# An unset input and an empty one are both "not given". A control character could begin a workflow command where it is quoted.
$given = @{}
foreach ($name in 'tools', 'bin-dir', 'base-url', 'verify') {
    $value = [string] [Environment]::GetEnvironmentVariable("INPUT_$($name.ToUpper().Replace('-', '_'))")
    if ($name -eq 'tools') { $value = $value -replace '[,\r\n\t]', ' ' }
    if ($value -match '[\x00-\x1f\x7f]') { Fail 2 "the input ``$name`` has a control character" 'give it on one line' }
    $given[$name] = $value
}
$verify = if ($given['verify']) { $given['verify'] } else { 'auto' }
if ($verify -notin 'auto', 'always', 'never') {
    Fail 2 "the input ``verify`` is neither auto, always nor never: $verify" 'give one of these'
}

$action = $env:GITHUB_ACTION_PATH
$temp = Join-Path $env:RUNNER_TEMP 'deploy-action'
New-Item -ItemType Directory -Force $temp | Out-Null

# --- what is listed ---------------------------------------------------------------------------------------------------------

$dist = $null
$entry = $null
if (Test-Path "$action/dist.json") {
    $dist = Get-Content -Raw "$action/dist.json" | ConvertFrom-Json -AsHashtable
    $machine = @{ X64 = 'x86_64'; ARM64 = 'aarch64' }[[string] $env:RUNNER_ARCH]
    foreach ($target in "$machine-pc-windows-msvc", "$machine-pc-windows-gnu", "$machine-pc-windows-gnullvm") {
        if (-not $entry) { $entry = $dist.targets[$target] }
        if ($entry) { break }
    }
}
if ($entry) { $known = @($entry.programs.Keys) }
else {
    # Cargo.toml is the one list of programs; those in `unix-only` need Unix sockets and signals.
    $manifest = Get-Content -Raw "$action/Cargo.toml"
    $unixOnly = @([regex]::Matches([regex]::Match($manifest, '(?m)^unix-only = \[(.*)\]').Groups[1].Value, '"([^"]+)"').ForEach({ $_.Groups[1].Value }))
    $known = @([regex]::Matches($manifest, '\[\[bin\]\]\r?\nname = "([^"]+)"').ForEach({ $_.Groups[1].Value }) | Where-Object { $_ -notin $unixOnly })
}
$names = @($given['tools'] -split ' +' | Where-Object { $_ })
if (-not $given['tools']) { $names = $known }
if (-not $names) { Fail 2 'the input `tools` names no tool' "give some of: $known" }
foreach ($name in $names) {
    if ($name -cnotin $known) { Fail 2 "there is no tool ``$name`` for Windows" "give the input ``tools`` some of: $known" }
}

# --- the ways to get them: each returns a directory, or nothing ---------------------------------------------------------------

function Sha256([string] $file) { (Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash.ToLower() }
function IsListed([string] $file, [string] $name) { (Test-Path -PathType Leaf -LiteralPath $file) -and (Sha256 $file) -eq $entry.programs[$name] }

function FromCache([string] $cache) {
    if (-not (Test-Path "$cache.complete")) { return }
    foreach ($name in $names) { if (-not (IsListed "$cache/$name.exe" $name)) { return } }
    $cache
}

function Fetch([string] $url, [string] $file) { Invoke-WebRequest -Uri $url -OutFile $file -ConnectionTimeoutSeconds 10 -OperationTimeoutSeconds 60 }

# Holds the archive against GitHub's attestation, as the input `verify` asks.
function Attested([string] $file, [string] $base) {
    if ($verify -eq 'never') { return }
    $capable = (Get-Command gh -ErrorAction SilentlyContinue) -and $env:GH_TOKEN
    if ($capable) { gh attestation --help *> $null; $capable = $LASTEXITCODE -eq 0 }
    if (-not $capable) {
        if ($verify -eq 'always') { Fail 77 'the attestation cannot be checked: it takes a `gh` that knows attestations, and a token' 'install gh, and leave the input `github-token` as it is' }
        Write-Output "deploy-action: the archive's attestation was not checked (no gh, or no token); its SHA-256 was"
        return
    }
    $repository = 'consult/deploy-action'
    $options = @('--repo', $repository, '--signer-workflow', "$repository/.github/workflows/release.yml", '--source-digest', $dist.source)
    try { Fetch "$base/attestation.json" "$temp/attestation.json"; $options += '--bundle', "$temp/attestation.json" } catch { }
    $answer = gh attestation verify $file @options 2>&1 | Out-String
    if ($LASTEXITCODE -eq 0) { return }
    if ($answer -match 'failed to fetch|HTTP (403|429|5)|dial tcp|timeout') {
        if ($verify -eq 'always') { Fail 75 "GitHub could not be asked for the attestation of $(Split-Path -Leaf $file)" 'run the job again, or give the input `verify: auto`' }
        Write-Output "deploy-action: GitHub could not be asked for the archive's attestation; its SHA-256 was checked"
        return
    }
    Fail 77 "$(Split-Path -Leaf $file) has no valid attestation of $repository" 'do not use this download, and report this'
}

function Download([string] $cache) {
    $base = ($given['base-url'] ? $given['base-url'] : $dist.base_url).TrimEnd('/')
    $file = Join-Path $temp $entry.archive
    foreach ($try in 1..3) {
        try { Fetch "$base/$($entry.archive)" $file; break }
        catch {
            if ($try -lt 3) { Start-Sleep -Seconds $try; continue }
            $reason = $_.Exception.Message -replace '[\x00-\x1f\x7f]', ' '
            if ($given['base-url']) { Fail 75 "cannot download $base/$($entry.archive): $reason" 'check the input `base-url`, or give `bin-dir`' }
            Warn "cannot download $($entry.archive) ($reason): the tools are built from source, which takes minutes"
            return
        }
    }
    if ((Sha256 $file) -ne $entry.sha256) {
        Fail 2 "$($entry.archive) from $base is not the file that dist.json lists: its SHA-256 differs" 'use another mirror, and report this'
    }
    Attested $file $base | Out-Host
    # Filled under a temporary name and renamed, so that a job that is cut off leaves no half-filled cache.
    $unpacked = "$temp/unpacked.$PID"
    try { Expand-Archive -LiteralPath $file -DestinationPath $unpacked }
    catch { Fail 2 "$($entry.archive) cannot be unpacked" 'report this' }
    foreach ($name in $entry.programs.Keys) {
        if (-not (IsListed "$unpacked/bin/$name.exe" $name)) { Fail 2 "``$name`` in $($entry.archive) is not the program that dist.json lists: its SHA-256 differs" 'report this' }
    }
    New-Item -ItemType Directory -Force (Split-Path $cache) | Out-Null
    Remove-Item -Recurse -Force -ErrorAction SilentlyContinue $cache, "$cache.complete"
    Move-Item "$unpacked/bin" $cache
    New-Item -ItemType File -Force "$cache.complete" | Out-Null
    $cache
}

# A dependency's build script runs with what is in its environment: it gets what is listed here, and no secret of the job.
function Build {
    $kept = 'PATH', 'PATHEXT', 'SYSTEMROOT', 'SYSTEMDRIVE', 'WINDIR', 'COMSPEC', 'TEMP', 'TMP', 'USERPROFILE', 'HOMEDRIVE', 'HOMEPATH', 'APPDATA', 'LOCALAPPDATA',
        'PROGRAMDATA', 'PROGRAMFILES', 'PROGRAMFILES(X86)', 'PROCESSOR_ARCHITECTURE', 'NUMBER_OF_PROCESSORS', 'CARGO_HOME', 'RUSTUP_HOME', 'RUSTUP_TOOLCHAIN',
        'SSL_CERT_FILE', 'SSL_CERT_DIR', 'CARGO_HTTP_CAINFO', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY', 'RUNNER_OS', 'RUNNER_ARCH', 'RUNNER_TEMP', 'GITHUB_PATH', 'GITHUB_OUTPUT', 'GITHUB_ACTION_PATH'
    Get-ChildItem env: | Where-Object { $_.Name.ToUpper() -notin $kept } | ForEach-Object { Remove-Item -LiteralPath "env:$($_.Name)" }
    $bins = $names | ForEach-Object { '--bin'; $_ }
    Write-Host "::group::Building $names"
    Push-Location $action
    cargo build --release --locked --target-dir "$action/target" @bins | Out-Host
    $code = $LASTEXITCODE
    Pop-Location
    Write-Host '::endgroup::'
    if ($code -ne 0) { Fail 2 'the tools could not be built from source' 'see the log above, or give the input `bin-dir` a directory with ready programs' }
    "$action/target/release"
}

$from = $null
if ($given['bin-dir']) {
    $from = $given['bin-dir']
    if (-not (Test-Path -PathType Container -LiteralPath $from)) { Fail 2 "the input ``bin-dir`` is not a directory: $from" 'give the directory that holds the tools' }
}
elseif ($entry) {
    $root = $env:RUNNER_TOOL_CACHE ? $env:RUNNER_TOOL_CACHE : $temp
    $cache = "$root/deploy-action/$($dist.version)/$target"
    $from = FromCache $cache
    if (-not $from) { $from = Download $cache }
}
if (-not $from -and (Test-Path "$action/Cargo.toml") -and (Get-Command cargo -ErrorAction SilentlyContinue)) { $from = Build }
if (-not $from) {
    Fail 2 "no way to install the tools on $env:RUNNER_OS ${env:RUNNER_ARCH}: there is no cargo on PATH" `
        'give the input `bin-dir` a directory with ready programs, or install Rust in an earlier step'
}

# --- onto PATH: a separate directory, so that nothing else in $from comes with them --------------------------------------------

$bin = Join-Path $temp 'bin'
New-Item -ItemType Directory -Force $bin | Out-Null
$version = ''
foreach ($name in $names) {
    $program = Join-Path $from "$name.exe"
    if (-not (Test-Path -LiteralPath $program)) { Fail 2 "there is no ``$name`` in $from" 'build or unpack all tools that the input `tools` names' }
    Copy-Item -Force -LiteralPath $program $bin
    $printed = [string] (& (Join-Path $bin "$name.exe") --version)
    if ($LASTEXITCODE -ne 0 -or $printed -notlike "$name *") { Fail 2 "``$name`` from $from does not run on $env:RUNNER_OS $env:RUNNER_ARCH" 'give programs that were built for this runner' }
    $version = ($printed -split ' ')[-1]
}

Add-Content -Encoding utf8NoBOM $env:GITHUB_PATH $bin
Add-Content -Encoding utf8NoBOM $env:GITHUB_OUTPUT "bin-dir=$bin", "version=$version"
Write-Output "deploy-action ${version}: $names in $bin"
