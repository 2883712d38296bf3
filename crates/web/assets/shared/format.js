// Numbers, spans, sizes and times as people say them. Beside each there is an exact form for titles.
// What is not known is a dash, never 0.

export const UNKNOWN = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);
const GAP = "\u00a0";

function short(value) {
	const size = Math.abs(value);
	if (size >= 100) return String(Math.round(value));
	if (size >= 10) return trim(value.toFixed(1));
	return trim(value.toFixed(size >= 1 ? 1 : 2));
}
const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** 1204 → "1,204"; 48200 → "48.2 K"; 1.2e6 → "1.2 M". */
export function count(value) {
	if (!known(value)) return UNKNOWN;
	const size = Math.abs(value);
	for (const [unit, factor] of [
		["G", 1e9],
		["M", 1e6],
		["K", 1e3],
	]) {
		if (size >= factor * (unit === "K" ? 10 : 0.9995))
			return `${short(value / factor)}${GAP}${unit}`;
	}
	return Number.isInteger(value) || size >= 1000
		? exact(Math.round(value))
		: short(value);
}

/** 48203 → "48,203", whatever its size. */
export function exact(value, unit = "") {
	if (!known(value)) return "not known";
	const text = value.toLocaleString("en-US", {
		maximumFractionDigits: Number.isInteger(value) ? 0 : 3,
	});
	return unit ? `${text} ${unit}` : text;
}

/** 48200 → "48.2 K/s". */
export function rate(value) {
	return known(value) ? `${count(value)}/s` : UNKNOWN;
}

/** 41000000 → "41 MB". */
export function bytes(value) {
	if (!known(value)) return UNKNOWN;
	for (const [unit, factor] of [
		["TB", 1e12],
		["GB", 1e9],
		["MB", 1e6],
		["kB", 1e3],
	]) {
		if (value >= factor) return `${short(value / factor)}${GAP}${unit}`;
	}
	return `${exact(Math.round(value))}${GAP}B`;
}

/** A span: 300 → "0.3 s"; 11520000 → "3 h 12 m". */
export function span(ms) {
	if (!known(ms)) return UNKNOWN;
	if (ms < 0) return `−${span(-ms)}`;
	if (ms < 100) return `${short(ms)}${GAP}ms`;
	if (ms < 10_000) return `${trim((ms / 1000).toFixed(1))}${GAP}s`;
	const seconds = Math.floor(ms / 1000);
	if (seconds < 60) return `${seconds}${GAP}s`;
	const [d, hr, m, sec] = [
		Math.floor(seconds / 86400),
		Math.floor(seconds / 3600) % 24,
		Math.floor(seconds / 60) % 60,
		seconds % 60,
	];
	const parts = d
		? [
				[d, "d"],
				[hr, "h"],
			]
		: hr
			? [
					[hr, "h"],
					[m, "m"],
				]
			: [
					[m, "m"],
					[sec, "s"],
				];
	return parts
		.filter(([n], i) => i === 0 || n > 0)
		.map(([n, unit]) => `${n}${GAP}${unit}`)
		.join(" ");
}

/** A span as settings say it: 3600000 → "1 h", 600000 → "10 min". */
export function setting(ms) {
	if (!known(ms)) return UNKNOWN;
	for (const [unit, factor] of [
		["d", 86_400_000],
		["h", 3_600_000],
		["min", 60_000],
		["s", 1000],
	]) {
		if (ms >= factor && ms % factor === 0) return `${ms / factor}${GAP}${unit}`;
	}
	return `${ms}${GAP}ms`;
}

/** "12 s ago". */
export function ago(ms) {
	if (!known(ms)) return UNKNOWN;
	return ms < 1000 ? "just now" : `${span(Math.floor(ms / 1000) * 1000)} ago`;
}

/** 0.41 → "41 %". */
export function percent(share) {
	return known(share) ? `${Math.round(share * 100)}${GAP}%` : UNKNOWN;
}

/** One or many: plural(2, "row") → "2 rows". */
export function plural(n, one, many = `${one}s`) {
	return `${count(n)} ${n === 1 ? one : many}`;
}

/** "It broke." of "it broke". */
export function sentence(text) {
	const first = text.charAt(0).toUpperCase() + text.slice(1);
	return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** Shortens a long text in the middle, by characters as people see them. */
export function middle(text, most = 32) {
	const signs = Array.from(String(text));
	if (signs.length <= most) return signs.join("");
	const head = Math.ceil((most - 1) * 0.6);
	return `${signs.slice(0, head).join("")}…${signs.slice(signs.length - (most - 1 - head)).join("")}`;
}

// Times: the viewer's zone, and the zone of event times beside it where the two differ at that moment.

let eventZone = "UTC";
const formats = new Map();

/** The zone that event times are read in (an IANA name, from the pipeline). */
export function setEventZone(zone) {
	try {
		new Intl.DateTimeFormat("en-GB", { timeZone: zone });
		eventZone = zone;
	} catch {
		eventZone = "UTC"; // a zone this browser does not know
	}
}

/** The zone that {@link setEventZone} set. */
export function eventZoneName() {
	return eventZone;
}

/** The viewer's own zone. */
export function viewerZone() {
	return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

function parts(ms, zone) {
	let format = formats.get(zone);
	if (!format) {
		format = new Intl.DateTimeFormat("en-GB", {
			timeZone: zone,
			hourCycle: "h23",
			year: "numeric",
			month: "2-digit",
			day: "2-digit",
			hour: "2-digit",
			minute: "2-digit",
			second: "2-digit",
		});
		formats.set(zone, format);
	}
	return Object.fromEntries(
		format.formatToParts(new Date(ms)).map((part) => [part.type, part.value]),
	);
}

const valid = (ms) => known(ms) && Math.abs(ms) <= 8.64e15;
const date = (p) => `${p.year}-${p.month}-${p.day}`;

/** "10:41:07" */
export function clock(ms, zone = viewerZone()) {
	if (!valid(ms)) return known(ms) ? "out of range" : UNKNOWN;
	const at = parts(ms, zone);
	return `${at.hour}:${at.minute}:${at.second}`;
}

/** "2026-11-25"; null where it is today. */
export function day(ms, zone = viewerZone()) {
	if (!valid(ms)) return null;
	const at = date(parts(ms, zone));
	return at === date(parts(Date.now(), zone)) ? null : at;
}

/** "10:41:07"; with the date where it is not today's. */
export function time(ms, zone = viewerZone()) {
	return [day(ms, zone), clock(ms, zone)].filter(Boolean).join(" ");
}

/** The same in the zone of event times, with the zone's name; null where it would look the same. */
export function timeBeside(ms) {
	if (!valid(ms)) return null;
	const [here, there] = [parts(ms, viewerZone()), parts(ms, eventZone)];
	const same =
		date(here) === date(there) &&
		here.hour === there.hour &&
		here.minute === there.minute;
	return same ? null : `${time(ms, eventZone)} ${eventZone}`;
}

/** For titles: viewer's zone, UTC, the zone of event times, and the number itself. */
export function timeExact(ms) {
	if (!valid(ms))
		return known(ms)
			? `${ms} ms since 1970, beyond what a calendar shows`
			: "not known";
	const at = (zone) => {
		const p = parts(ms, zone);
		return `${date(p)} ${p.hour}:${p.minute}:${p.second} ${zone}`;
	};
	const zones = [...new Set([viewerZone(), "UTC", eventZone])];
	return `${zones.map(at).join("\n")}\n${ms} ms since 1970`;
}
