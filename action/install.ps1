# Puts the tools on the PATH of the job's later steps on Windows: from INPUT_BIN_DIR, else by building this checkout.
# The counterpart of install.sh; it is given no secret and passes none on.
$ErrorActionPreference = 'Stop'

$known = 'secrets-env', 'preflight-report', 'stack-output', 'pages-deploy-all', 'ssh-deploy'

function Fail([string] $message, [string] $help) {
    [Console]::Error.WriteLine("error: $message`n  help: $help")
    [Console]::Error.WriteLine("::error title=deploy-action::$message ($help)")
    exit 2
}

$names = @($env:INPUT_TOOLS -split '[\s,]+' | Where-Object { $_ })
if (-not $names) { Fail 'the input `tools` names no tool' "give some of: $known" }
foreach ($name in $names) {
    if ($known -notcontains $name) { Fail "there is no tool ``$name``" "give the input ``tools`` some of: $known" }
}

# It needs Unix signals and sockets, and does not build here yet.
if ($names -contains 'ssh-deploy') {
    [Console]::Error.WriteLine('::warning title=deploy-action::ssh-deploy does not run on Windows yet and is left out')
    $names = @($names | Where-Object { $_ -ne 'ssh-deploy' })
}

if ($env:INPUT_BIN_DIR) {
    if (-not (Test-Path -PathType Container $env:INPUT_BIN_DIR)) {
        Fail "the input ``bin-dir`` is not a directory: $env:INPUT_BIN_DIR" 'give the directory that holds the tools'
    }
    $from = $env:INPUT_BIN_DIR
}
elseif ((Test-Path "$env:GITHUB_ACTION_PATH/Cargo.toml") -and (Get-Command cargo -ErrorAction SilentlyContinue)) {
    # A dependency's build script runs with what is left of the environment.
    Get-ChildItem env: |
        Where-Object { $_.Name -notlike 'CARGO_*' -and $_.Name -match 'TOKEN|SECRET|PASSWORD|PASSPHRASE|_KEY$' } |
        ForEach-Object { Remove-Item "env:$($_.Name)" }
    $bins = $names | ForEach-Object { '--bin'; $_ }
    Write-Output "::group::Building $names"
    Push-Location $env:GITHUB_ACTION_PATH
    cargo build --release --locked @bins
    $built = $LASTEXITCODE
    Pop-Location
    Write-Output '::endgroup::'
    if ($built -ne 0) {
        Fail 'the tools could not be built from source' 'see the log above, or give the input `bin-dir` a directory with ready programs'
    }
    $target = if ($env:CARGO_TARGET_DIR) { $env:CARGO_TARGET_DIR } else { "$env:GITHUB_ACTION_PATH/target" }
    $from = "$target/release"
}
else {
    Fail "no way to install the tools on $env:RUNNER_OS ${env:RUNNER_ARCH}: there is no cargo on PATH" `
        'give the input `bin-dir` a directory with ready programs, or install Rust in an earlier step'
}

# A separate directory, so that nothing else in $from comes onto PATH.
$bin = Join-Path $env:RUNNER_TEMP 'deploy-action' 'bin'
New-Item -ItemType Directory -Force $bin | Out-Null
$version = ''
foreach ($name in $names) {
    $program = Join-Path $from "$name.exe"
    if (-not (Test-Path $program)) { Fail "there is no ``$name`` in $from" 'build or unpack all tools that the input `tools` names' }
    Copy-Item -Force $program $bin
    $said = & (Join-Path $bin "$name.exe") --version
    if ($LASTEXITCODE -ne 0 -or $said -notlike "$name *") { Fail "``$name`` from $from does not run on $env:RUNNER_OS $env:RUNNER_ARCH" 'give programs that were built for this runner' }
    $version = ($said -split ' ')[-1]
}

Add-Content -Encoding utf8NoBOM $env:GITHUB_PATH $bin
Add-Content -Encoding utf8NoBOM $env:GITHUB_OUTPUT "bin-dir=$bin", "version=$version"
Write-Output "deploy-action ${version}: $names in $bin"
