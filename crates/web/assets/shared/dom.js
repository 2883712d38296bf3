// Builds and changes elements. Values become text nodes or attributes, never markup: no function here parses a string as
// HTML, so the content of a record stays text.

/** @import { AttributeValue, Child, ChipLevel, ElementProps, ListItem } from "/types/components.js" */

/**
 * @param {HTMLElement | SVGElement} element
 * @param {ElementProps | null} [props]
 */
function applyProps(element, props) {
	const { on = {}, data = {}, text, ...attributes } = props ?? {};
	for (const [event, listener] of Object.entries(on))
		element.addEventListener(event, /** @type {EventListener} */ (listener));
	Object.assign(element.dataset, data);
	if (text !== null && text !== undefined) element.textContent = String(text);
	for (const [name, value] of Object.entries(attributes))
		setAttr(element, name, /** @type {AttributeValue} */ (value));
}

/**
 * @param {Element} element
 * @param {Child[]} children
 */
function appendChildren(element, children) {
	for (const child of children) {
		if (Array.isArray(child)) appendChildren(element, child);
		else if (child !== null && child !== undefined && child !== false)
			element.append(child instanceof Node ? child : String(child));
	}
}

/**
 * Creates an HTML element: `h("p", { class: "muted", on: { click } }, "text", child)`.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {ElementProps | null} [props]
 * @param {Child[]} children
 */
export function h(tag, props, ...children) {
	const element = document.createElement(tag);
	applyProps(element, props);
	appendChildren(element, children);
	return element;
}

/**
 * Creates an SVG element, as {@link h} creates an HTML element.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {ElementProps | null} [props]
 * @param {Child[]} children
 */
export function s(tag, props, ...children) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	applyProps(element, props);
	appendChildren(element, children);
	return element;
}

/**
 * Sets the text if it changed: an unchanged text keeps its selection and needs no layout.
 * @param {Element} element
 * @param {string | number | null} [text]
 */
export function setText(element, text) {
	const wanted = String(text ?? "");
	if (element.textContent !== wanted) element.textContent = wanted;
}

/**
 * Sets an attribute if it changed; null, undefined and false remove it.
 * @param {Element} element
 * @param {string} name
 * @param {AttributeValue} [value]
 */
export function setAttr(element, name, value) {
	if (value === null || value === undefined || value === false) {
		element.removeAttribute(name);
		return;
	}
	const wanted = value === true ? "" : String(value);
	if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
}

/**
 * Gives the element one of the classes `level-well`, `level-soon`, `level-act`, `level-plain`, or none.
 * @param {Element} element
 * @param {ChipLevel | null} level
 */
export function setLevel(element, level) {
	for (const known of ["well", "soon", "act", "plain"])
		element.classList.toggle(`level-${known}`, known === level);
}

/**
 * Makes `parent` show one child per item, in their order. A child stays the same element as long as its key is among the
 * items, so values change in place. `parent` must have no other children.
 * @template Item
 * @template {ListItem<Item>} Component
 * @param {Element} parent
 * @param {(item: Item, index: number) => unknown} keyOf
 * @param {(item: Item) => Component} create
 */
export function keyedList(parent, keyOf, create) {
	/** @type {Map<string, Component>} */
	let components = new Map();
	return {
		components: () => [...components.values()],
		/** @param {Item[]} items */
		update(items) {
			/** @type {typeof components} */
			const updated = new Map();
			let next = parent.firstChild;
			items.forEach((item, index) => {
				const key = String(keyOf(item, index));
				if (updated.has(key)) return; // the first of two items with one key counts
				const component = components.get(key) ?? create(item);
				updated.set(key, component);
				component.update?.(item, index);
				if (component.element === next) next = next.nextSibling;
				else parent.insertBefore(component.element, next);
			});
			for (const [key, { element }] of components)
				if (!updated.has(key)) element.remove();
			components = updated;
		},
	};
}
