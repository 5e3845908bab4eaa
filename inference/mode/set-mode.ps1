<#
.SYNOPSIS
Sets the mode of this machine's engine: NORMAL, or GAMING while a game is played.
.EXAMPLE
set-mode.ps1 GAMING
#>
param(
    [Parameter(Mandatory = $true, Position = 0)][ValidateSet('NORMAL', 'GAMING')][string] $Mode,
    # Where the mode's process listens, for an engine on another machine or in WSL; empty for this machine's own file.
    # Without `variet` here it is http://127.0.0.1:18000, where an engine that only its own machine can reach has nobody answer.
    # Start it there: variet engine mode serve
    [string] $Url = ''
)
$ErrorActionPreference = 'Stop'
$Mode = $Mode.ToUpperInvariant()
$variet = Get-Command variet -ErrorAction SilentlyContinue
if ($variet) {
    $more = if ($Url) { @('--url', $Url) } else { @() }
    & $variet.Source engine mode $Mode @more
    exit $LASTEXITCODE
}
if (-not $Url) { $Url = 'http://127.0.0.1:18000' }
$headers = @{}
if ($env:VARIET_ENGINE_KEY) { $headers['Authorization'] = "Bearer $($env:VARIET_ENGINE_KEY)" }
$answer = Invoke-RestMethod -Method Put -Uri "$($Url.TrimEnd('/'))/mode" -Headers $headers -ContentType 'application/json' `
    -Body (@{ mode = $Mode } | ConvertTo-Json) -TimeoutSec 5
Write-Output $answer.mode
