// Building and updating the page. Values become text nodes or attributes, never markup: there is no way in here to put
// a string in as HTML, so a record's content stays text.

const SVG = "http://www.w3.org/2000/svg";

function apply(node, props) {
	for (const [name, value] of Object.entries(props ?? {})) {
		if (value === null || value === undefined || value === false) continue;
		if (name === "on")
			for (const [event, listener] of Object.entries(value))
				node.addEventListener(event, listener);
		else if (name === "data") Object.assign(node.dataset, value);
		else if (name === "text") node.textContent = value;
		else node.setAttribute(name, value === true ? "" : String(value));
	}
}

function add(node, children) {
	for (const child of children.flat(Infinity)) {
		if (child === null || child === undefined || child === false) continue;
		node.append(child instanceof Node ? child : String(child));
	}
	return node;
}

/** An HTML element: `h("p", { class: "muted", on: { click } }, "text", child)`. */
export function h(tag, props, ...children) {
	const node = document.createElement(tag);
	apply(node, props);
	return add(node, children);
}

/** An SVG element, likewise. */
export function s(tag, props, ...children) {
	const node = document.createElementNS(SVG, tag);
	apply(node, props);
	return add(node, children);
}

/** Sets the text where it changed, so that selections stay and nothing is laid out anew. */
export function setText(node, text) {
	const wanted = text === null || text === undefined ? "" : String(text);
	if (node.textContent !== wanted) node.textContent = wanted;
}

/** Sets an attribute where it changed; null and false remove it. */
export function setAttr(node, name, value) {
	if (value === null || value === undefined || value === false) {
		if (node.hasAttribute(name)) node.removeAttribute(name);
	} else {
		const wanted = value === true ? "" : String(value);
		if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
	}
}

/** Sets one of the classes `level-well`, `level-soon`, `level-act`, `level-plain`. */
export function setLevel(node, level) {
	for (const each of ["well", "soon", "act", "plain"])
		node.classList.toggle(`level-${each}`, each === level);
}

const kept = new WeakMap();

/**
 * Makes `parent` show one child per item, in their order. A child stays the same node as long as its key is there, so
 * values change in place. `create(item)` makes one, `update(node, item, index)` fills it. `parent` has no other children.
 */
export function keyed(parent, items, key, create, update) {
	const before = kept.get(parent) ?? new Map();
	const now = new Map();
	let place = parent.firstChild;
	items.forEach((item, index) => {
		const id = String(key(item, index));
		if (now.has(id)) return; // two items of one key: the first counts
		const node = before.get(id) ?? create(item);
		now.set(id, node);
		update?.(node, item, index);
		if (node === place) place = place.nextSibling;
		else parent.insertBefore(node, place);
	});
	for (const [id, node] of before) if (!now.has(id)) node.remove();
	kept.set(parent, now);
}

let toastNode;
let toastTimer;

/** Says something at the bottom for three seconds, also to screen readers. */
export function toast(text) {
	if (!toastNode)
		document.body.append(
			(toastNode = h("div", { class: "toast", role: "status" })),
		);
	setText(toastNode, text);
	clearTimeout(toastTimer);
	toastTimer = setTimeout(() => setText(toastNode, ""), 3000);
}

/** Copies text and says so. */
export async function copy(text) {
	const shown = text.length > 60 ? `${text.slice(0, 59)}…` : text;
	try {
		await navigator.clipboard.writeText(text);
		toast(`Copied ${shown}`);
	} catch {
		// Not a secure origin (plain HTTP to another machine): the old way.
		const area = h("textarea", {
			class: "visually-hidden",
			"aria-hidden": "true",
			tabindex: "-1",
		});
		area.value = text;
		const focused = document.activeElement;
		document.body.append(area);
		area.select();
		const done = document.execCommand("copy");
		area.remove();
		focused?.focus?.();
		toast(
			done
				? `Copied ${shown}`
				: "The browser does not allow copying here: select the text instead",
		);
	}
}

const ICONS = {
	well: "M3 8.5l3.2 3.2L13 5",
	soon: "M8 2l6.5 11.5h-13zM8 6.5v3.2M8 11.6v.1",
	act: "M5.2 1.8h5.6l3.4 3.4v5.6l-3.4 3.4H5.2l-3.4-3.4V5.2zM8 4.8v3.8M8 11v.1",
	plain: "M4 8h8",
	idle: "M6 4v8M10 4v8",
	copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
	search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3l3.4 3.4",
	pause: "M5.5 3.5v9M10.5 3.5v9",
	play: "M5 3.2l7.5 4.8L5 12.8z",
	away: "M2 2l12 12M5 10.5a4.2 4.2 0 0 1 2-1.1M2.7 7.6a8 8 0 0 1 2.2-1.4M8 5.2a8 8 0 0 1 5.3 2.4M8 13v.1",
	busy: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5M8 5v3l2 1.5",
};

/** A small line icon: well, soon, act, plain, idle, copy, search, pause, play, away, busy. */
export function icon(name) {
	return s(
		"svg",
		{
			viewBox: "0 0 16 16",
			fill: "none",
			stroke: "currentColor",
			"stroke-width": "1.5",
			"stroke-linecap": "round",
			"stroke-linejoin": "round",
			"aria-hidden": "true",
		},
		s("path", { d: ICONS[name] ?? ICONS.plain }),
	);
}

/** Text in code type with a button that copies it. `what` names it for screen readers. `set(text)` on it changes it. */
export function copyable(text, what) {
	const code = h("code", { text });
	const node = h(
		"span",
		{ class: "copyable" },
		code,
		h(
			"button",
			{
				class: "icon-button",
				type: "button",
				title: "Copy",
				"aria-label": `Copy ${what}`,
				on: { click: () => copy(code.textContent) },
			},
			icon("copy"),
		),
	);
	node.set = (next) => setText(code, next);
	return node;
}

/** Something that is not there (yet): what, why, and what to do; `rest` are nodes or texts, each its own paragraph. */
export function empty(title, ...rest) {
	return h(
		"div",
		{ class: "empty" },
		h("strong", { text: title }),
		rest
			.filter(Boolean)
			.map((part) => (part instanceof Node ? part : h("p", { text: part }))),
	);
}

/** Runs `work`; what it throws is shown in `panel` instead of ending the page. */
export function guarded(panel, work) {
	try {
		work();
		panel.querySelector(":scope > .panel-fault")?.remove();
	} catch (fault) {
		console.warn("panel", fault);
		if (panel.querySelector(":scope > .panel-fault")) return;
		panel.prepend(
			h(
				"div",
				{ class: "notice level-soon panel-fault", role: "status" },
				icon("soon"),
				h(
					"span",
					null,
					"This part of the page could not be shown. Reload the page; its values are also in the JSON below.",
				),
			),
		);
	}
}
