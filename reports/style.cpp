#include "reports/style.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/hash.h"

namespace plumb::reports {
namespace {

// Colours: text on paper at 4.5:1 or more, lines and marks at 3:1 or more, in both themes. The
// series' colours stay apart for the common kinds of colour blindness, and shape or dash tells them
// apart without any.
constexpr std::string_view kColours = R"css(
:root{color-scheme:light dark;--paper:#fffefb;--ink:#22242a;--soft:#5d626c;--hair:#e4e2dc;--faint:#f5f3ee;
--link:#1d5c96;--edge:#c9c6be;--region:#b9552a;--region-ink:#8a3d1c;
--s0:#1f6ab0;--s1:#c2501c;--s2:#1c8468;--s3:#8c4799;--s4:#8f6a00;--s5:#596673;--s6:#b23a5e;--s7:#3f7f9a;
--pass:#1f6f4a;--fail:#b3261e;--unsure:#7d5a00;--quiet:#5d626c;--odd:#6a4397}
@media screen and (prefers-color-scheme:dark){:root{--paper:#15171b;--ink:#e4e3df;--soft:#a0a5ae;--hair:#30343b;
--faint:#1d2025;--link:#86b8ea;--edge:#4a505b;--region:#d9825a;--region-ink:#e9a583;
--s0:#6fb0ee;--s1:#f08a58;--s2:#4fc0a0;--s3:#c893d6;--s4:#d3ad46;--s5:#a5b1bd;--s6:#ee86a4;--s7:#7cc0da;
--pass:#6cc79b;--fail:#ff8a80;--unsure:#e0b450;--quiet:#a0a5ae;--odd:#c3a1ea}}
)css";

constexpr std::string_view kPage = R"css(
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif;
overflow-wrap:break-word}
header,main,footer{max-width:1240px;margin:0 auto;padding:0 32px}
header{padding-top:56px}
h1,h2,h3{font-family:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua","Source Serif Pro",Georgia,serif;
font-weight:500;line-height:1.2;margin:0;overflow-wrap:anywhere}
h1{font-size:38px;letter-spacing:-.01em}
h2{font-size:25px;margin:64px 0 14px}
h3{font-size:20px}
p{margin:0 0 10px;max-width:72ch}
a{color:var(--link);text-underline-offset:3px}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--link);outline-offset:3px;border-radius:2px}
.subtitle{color:var(--soft);font-size:18px;margin-top:10px}
.skip{position:absolute;left:-999px}.skip:focus{left:32px;top:12px}
nav{margin-top:22px;font-size:14px}nav a{margin-right:20px;white-space:nowrap}
.headline{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,250px),1fr));gap:22px 32px;margin:34px 0 0;
border-top:1px solid var(--hair);padding-top:20px}
.headline div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
.headline dt{color:var(--soft);font-size:14px;line-height:1.4}
.headline dd{margin:0;font-size:25px;line-height:1.25;font-variant-numeric:tabular-nums;
font-family:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,serif;overflow-wrap:anywhere}
.summary{color:var(--soft)}
.findings{padding-left:1.1em;max-width:76ch;margin:0 0 18px}.findings li{margin:6px 0}
.verdict-list{list-style:none;margin:14px 0 0;padding:0;display:grid;gap:9px 32px;
grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr))}
.verdict-list li{display:grid;grid-template-columns:9.6em 1fr;gap:10px;align-items:baseline;line-height:1.4}
.verdict-list .badge{justify-self:start}
.method{columns:2 440px;column-gap:56px}.method section{break-inside:avoid;margin-bottom:26px}
.method h3{font-size:18px;margin-bottom:6px}.method p{font-size:15px}
.formula{font-family:"Cambria Math","STIX Two Math","Latin Modern Math",Georgia,serif;padding-left:1.2em;
border-left:2px solid var(--hair);overflow-wrap:anywhere}
.note-list{padding-left:1.1em;max-width:76ch}.note-list li{margin:5px 0}
footer{color:var(--soft);font-size:13px;margin-top:64px;padding-top:16px;padding-bottom:48px}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.groups{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:28px 48px}
.groups h3{font-size:16px;margin-bottom:6px}
.groups dl{display:grid;grid-template-columns:minmax(90px,auto) 1fr;gap:3px 16px;margin:0;font-size:13.5px;
border-top:1px solid var(--hair);padding-top:8px}
.groups dt{color:var(--soft)}.groups dd{margin:0;min-width:0;overflow-wrap:anywhere;white-space:pre-wrap}
)css";

constexpr std::string_view kTables = R"css(
/* Shadows at the ends that have more to scroll to; covers of paper move with the content and hide them. */
.scroll{overflow-x:auto;max-width:100%;background:
linear-gradient(90deg,var(--paper) 30%,transparent) 0 0/40px 100% no-repeat local,
linear-gradient(270deg,var(--paper) 30%,transparent) 100% 0/40px 100% no-repeat local,
linear-gradient(90deg,var(--edge),transparent) 0 0/14px 100% no-repeat scroll,
linear-gradient(270deg,var(--edge),transparent) 100% 0/14px 100% no-repeat scroll}
table{border-collapse:collapse;font-size:14px;line-height:1.45;font-variant-numeric:tabular-nums lining-nums}
th{font-weight:600;text-align:left;vertical-align:bottom;color:var(--soft);font-size:13px}
th,td{padding:6px 18px 6px 0}
td{vertical-align:top;border-top:1px solid var(--hair)}
thead th{padding-bottom:5px}
th button{all:unset;cursor:pointer;font:inherit;color:inherit}
th button:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:2px}
th button:hover{color:var(--ink)}
th[aria-sort] button::after{content:" \2191"}th[aria-sort=descending] button::after{content:" \2193"}
tbody th{border-top:1px solid var(--hair);color:var(--ink);vertical-align:top}
.number{text-align:right;white-space:nowrap}
caption{caption-side:top;text-align:left;color:var(--soft);padding-bottom:6px;font-size:13px}
details{margin-top:8px;font-size:14px}
summary{cursor:pointer;color:var(--soft);font-size:13px;width:fit-content}
summary:hover{color:var(--ink)}
details .scroll{max-height:420px;overflow:auto;margin-top:8px;border-top:1px solid var(--hair)}
details table{font-size:12.5px}details th,details td{padding:3px 16px 3px 0;border-top:0;white-space:nowrap}
details thead th{position:sticky;top:0;background:var(--paper)}
.span{color:var(--soft);font-size:.92em}
.starred{font-weight:700}
.verdicts{width:100%}
.verdicts>tbody>tr>td,.verdicts>tbody>tr>th{padding-top:13px;padding-bottom:13px}
.verdicts .which{width:9.5em}.verdicts .claim{width:29%}.verdicts .next{width:22%;padding-right:0}
.verdicts .claim strong{display:block;font-weight:600}
.verdicts .claim span{font-weight:400;color:var(--soft);font-size:13px;display:block}
.badge{display:inline-block;font-size:12px;font-weight:700;letter-spacing:.05em;white-space:nowrap;border:1.5px solid;
border-radius:4px;padding:1px 8px;line-height:1.5}
.badge i{font-style:normal;margin-right:.5em}
.v-pass{color:var(--pass)}.v-fail{color:var(--paper);background:var(--fail);border-color:var(--fail)}
.v-inconclusive{color:var(--unsure)}.v-not-run{color:var(--quiet);border-style:dashed}
.v-incomparable{color:var(--odd)}.v-invalid{color:var(--fail);border-style:double;border-width:3px}
.required{display:block;color:var(--soft);font-size:12px;margin-top:4px}
@media (max-width:760px){
header,main,footer{padding-left:16px;padding-right:16px}header{padding-top:28px}
h1{font-size:28px}h2{margin-top:48px}.headline{gap:16px 20px}
.headline dd{font-size:22px}
.verdicts,.verdicts>tbody,.verdicts>tbody>tr,.verdicts>tbody>tr>td,.verdicts>tbody>tr>th{display:block;width:auto}
.verdicts>thead{position:absolute;left:-9999px}
.verdicts>tbody>tr{border-top:1px solid var(--hair);padding:14px 0}
.verdicts>tbody>tr>td,.verdicts>tbody>tr>th{border:0;padding:3px 0}
.verdicts .which,.verdicts .claim,.verdicts .next{width:auto}
.verdict-list li{grid-template-columns:1fr;gap:3px}
.verdicts .next:not(:empty)::before{content:"Next: ";color:var(--soft)}
.groups dl{grid-template-columns:1fr}.groups dd{margin-bottom:6px}}
)css";

constexpr std::string_view kFigures = R"css(
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,520px),1fr));gap:52px 56px;align-items:start}
figure{margin:0;min-width:0}
@media (min-width:1120px){.figures>.wide{grid-column:1/-1}}
figure h3{margin-bottom:10px}
figcaption{color:var(--soft);font-size:14px;line-height:1.5;margin-top:10px;max-width:70ch}
figcaption p{margin:0 0 6px}
figure>.scroll{overflow-y:hidden}
.plan-figure .kept{fill:var(--s0)}.plan-figure .gone{fill:none;stroke:var(--soft);stroke-width:1;stroke-dasharray:3 2}
.reconnection{fill:none;stroke:var(--s1);stroke-width:1.5}.arrow{fill:var(--s1)}
svg{display:block;width:100%;min-width:500px;height:auto;font-family:system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif}
svg text{font-size:12px;fill:var(--ink);font-variant-numeric:tabular-nums lining-nums}
svg .tick,svg .note{fill:var(--soft)}
svg .axis-label{fill:var(--soft);font-weight:600}
svg .halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.grid{stroke:var(--hair);stroke-width:1}
.base{stroke:var(--soft);stroke-width:1}
.reference-line{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:2 4;fill:none}
.region{fill:var(--region);fill-opacity:.11}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}
.s6{--c:var(--s6)}.s7{--c:var(--s7)}
.line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.dash0{stroke-dasharray:7 5}.dash1{stroke-dasharray:2 4}.dash2{stroke-dasharray:10 4 2 4}.dash3{stroke-dasharray:4 3}
.mark{fill:var(--c);stroke:var(--paper);stroke-width:1}
.interval{fill:var(--c);fill-opacity:.16}
.whisker{stroke:var(--c);stroke-width:1.1}
.target{fill:transparent;stroke:none}
.point:hover .target{stroke:var(--c);stroke-width:1.5}
.cell:hover rect{stroke:var(--ink);stroke-width:1.5}
.star{fill:#fff;stroke:#111;stroke-width:1.3}
.no-range{fill:var(--hair)}
@media print{body{font-size:11pt}header,main,footer{max-width:none;padding-left:0;padding-right:0}nav,.skip{display:none}
h2{break-after:avoid}figure,.verdicts tr,.groups section{break-inside:avoid}svg{min-width:0}
.figures{grid-template-columns:1fr 1fr;gap:28px}figure.wide{grid-column:1/-1}summary{display:none}
.badge,.region,.interval,.cell rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

// A cell's number is what its text begins with, spaces between its digits and a unit of bytes
// counted; others are compared as words. Equal ones stay in order.
constexpr std::string_view kScript = R"js(
'use strict';
for (const table of document.querySelectorAll('figure table')) {
  const head = table.tHead, body = table.tBodies[0];
  if (!head || !body || 3 > body.rows.length) continue;
  [...head.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener('click', () => {
      const down = cell.getAttribute('aria-sort') === 'ascending';
      for (const other of head.rows[0].cells) other.removeAttribute('aria-sort');
      cell.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const key = row => (row.cells[column] ? row.cells[column].textContent.trim() : '');
      const bytes = {kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12};
      const number = row => {
        const found = key(row).replace(/(\d)\s(?=\d{3})/g, '$1').replace('\u2212', '-').match(/^(-?[\d.]+(?:e[-+]?\d+)?)\s?(\w*)/);
        return found ? Number(found[1]) * (bytes[found[2]] || 1) : NaN;
      };
      const order = (a, b) => {
        const x = number(a), y = number(b);
        if (isNaN(x) || isNaN(y)) return isNaN(x) === isNaN(y) ? key(a).localeCompare(key(b)) : isNaN(x) ? 1 : -1;
        return x - y;
      };
      body.append(...[...body.rows].sort((a, b) => (down ? -order(a, b) : order(a, b))));
    });
  });
}
)js";

uint32_t nibble(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<uint32_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<uint32_t>(digit - 'a' + 10);
  throw Error(ErrorKind::kInvariant, text("'", digit, "' is no lower-case hexadecimal digit"));
}

}  // namespace

const std::string& style_sheet() {
  static const std::string sheet = text(kColours, kPage, kTables, kFigures);
  return sheet;
}

const std::string& page_script() {
  static const std::string script(kScript);
  return script;
}

std::string base64_of_hex(std::string_view digits) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (digits.size() % 2 != 0)
    throw Error(ErrorKind::kInvariant,
                text(digits.size(), " hexadecimal digits are no whole bytes"));
  std::string out;
  for (size_t at = 0; at < digits.size(); at += 6) {
    const size_t nibbles = std::min<size_t>(6, digits.size() - at);
    uint32_t group = 0;
    for (size_t i = 0; i < 6; ++i) group = group << 4 | (i < nibbles ? nibble(digits[at + i]) : 0);
    // 2, 4 or 6 nibbles fill 2, 3 or 4 letters.
    for (size_t i = 0; i < 4; ++i)
      out += i <= nibbles / 2 ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string content_security_policy(std::string_view style, std::string_view script) {
  const auto hash = [](std::string_view text) {
    return "'sha256-" + base64_of_hex(sha256_hex(text)) + "'";
  };
  return "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) +
         "; img-src data:; base-uri 'none'; form-action 'none'";
}

}  // namespace plumb::reports
