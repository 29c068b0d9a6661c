import type { Results, Row } from "./result.ts";

const WIDTH = 760;
const LABEL_WIDTH = 300;
const BAR_HEIGHT = 20;
const ROW_HEIGHT = 28;
const PANEL_HEAD = 44;
const FONT = "system-ui, sans-serif";
const OURS = "#0b6bcb";
const OTHERS = "#9aa5b1";

interface Bar {
  readonly label: string;
  readonly value: number;
  readonly isOurs: boolean;
}

const escapeText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x}" y="${y}" font-family="${FONT}" font-size="13" fill="#1f2933" ${attributes}>${escapeText(content)}</text>`;
}

function panel(title: string, bars: readonly Bar[], top: number): string {
  const longest = Math.max(...bars.map(({ value }) => value), 1);
  const scale = (WIDTH - LABEL_WIDTH - 70) / longest;
  const one = LABEL_WIDTH + scale;
  const rows = bars.map(({ label, value, isOurs }, index) => {
    const y = top + PANEL_HEAD + index * ROW_HEIGHT;
    const width = Math.max(1, value * scale).toFixed(1);
    return [
      text(LABEL_WIDTH - 10, y + 15, label, 'text-anchor="end"'),
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2" fill="${isOurs ? OURS : OTHERS}"/>`,
      text(LABEL_WIDTH + Number(width) + 6, y + 15, value.toFixed(2)),
    ].join("\n");
  });
  const bottom = top + PANEL_HEAD + bars.length * ROW_HEIGHT;
  return [
    text(16, top + 24, title, 'font-weight="600"'),
    ...rows,
    `<line x1="${one}" y1="${top + PANEL_HEAD - 6}" x2="${one}" y2="${bottom}" stroke="#1f2933" stroke-dasharray="3 3"/>`,
  ].join("\n");
}

const barOf = (row: Row, label: string): Bar => ({
  label,
  value: row.ratio?.median ?? 0,
  isOurs: row.contender === "edge",
});

/** The picture of a run: verification over a bare signature check, and whole requests over a pass-through Worker. */
export function pictureOf({ rows, date }: Results): string {
  const verification = rows
    .filter(
      ({ group, workload }) => group === "verification" && /first$|^known 1000 api$|^junk$/.test(workload),
    )
    .map((row) => barOf(row, `${row.contender}: ${row.workload}`));
  const requests = rows
    .filter(({ group, workload }) => group === "requests" && workload.endsWith(", 16 at once"))
    .map((row) => barOf(row, `${row.contender}: ${row.workload.replace(", 16 at once", "")}`));
  const second = PANEL_HEAD + verification.length * ROW_HEIGHT + 24;
  const height = second + PANEL_HEAD + requests.length * ROW_HEIGHT + 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Cost of verification and of whole requests, as ratios">
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
${panel("A verification, or a whole decision (edge: decide, known, junk), over a signature check (1.00)", verification, 0)}
${panel(`CPU of a whole request over a pass-through Worker (1.00), ${date.slice(0, 10)}`, requests, second)}
</svg>
`;
}
