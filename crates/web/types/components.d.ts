/** The shapes that the modules of the pages share. */

import type { Level, Overview, PipelinePlan } from "./job-api.js";

/** Colour of a chip, a bar or a notice. */
export type ChipLevel = Level | "plain";

export type AttributeValue = string | number | boolean | null | undefined;

export type EventListeners = {
	[Name in keyof HTMLElementEventMap]?: (
		event: HTMLElementEventMap[Name],
	) => void;
};

/** Attributes by name; `text` becomes the element's text, `data` its data set, `on` its listeners. */
export interface ElementProps {
	on?: EventListeners;
	data?: Record<string, string>;
	[attribute: string]: AttributeValue | EventListeners | Record<string, string>;
}

export type Child = Node | string | number | null | undefined | false | Child[];

/** A part of a page: an element, and how its values change. */
export interface Component<Values extends unknown[] = []> {
	element: HTMLElement | SVGElement;
	update(...values: Values): void;
}

/** A child of a keyed list. */
export interface ListItem<Item> {
	element: HTMLElement | SVGElement;
	update?(item: Item, index: number): void;
}

/** A column of a table. */
export interface Column<Row> {
	id: string;
	label: string;
	title?: string;
	numeric?: boolean;
	mono?: boolean;
	wrap?: boolean;
	/** The text shown; the filter searches it. */
	text(row: Row): AttributeValue;
	/** The value to sort by, where it is not the text. */
	value?(row: Row): string | number | null | undefined;
	/** The title of the cell. */
	exact?(row: Row): string | null | undefined;
	/** What a click copies, where it is not the text. */
	copy?(row: Row): string | number | null | undefined;
	/** Makes the text a link. */
	href?(row: Row): string;
	/** Draws the cell itself, in place. */
	fill?(cell: HTMLTableCellElement, row: Row): void;
}

export interface SortOrder {
	column: string;
	descending: boolean;
}

export interface TableOptions<Row> {
	caption: string;
	columns: Column<Row>[];
	/** The identity of a row. */
	key(row: Row): string | number;
	/** A level that highlights the row; a column must say the same in words. */
	mark?(row: Row): Level | null;
	sort?: SortOrder | null;
	/** The label of the filter; without it there is none. */
	filter?: string;
	/** Shown instead of the table when there are no rows. */
	empty?: HTMLElement;
	/** The number of rows drawn at most. */
	limit?: number;
	/** Keeps the first column in place while the table scrolls sideways. */
	stickFirst?: boolean;
	/** Shows all rows without a scroll area of their own. */
	whole?: boolean;
	/** Elements beside the filter. */
	tools?: HTMLElement[];
}

export interface JobPageParams {
	user: string;
}

/** What the frame offers to a page of the job. */
export interface JobPageContext {
	params: JobPageParams;
	navigate(path: string): void;
	/** The plan of the pipeline, once it is known. */
	plan(): PipelinePlan | null;
	/** The newest overview. */
	overview(): Overview | null;
}

/** A mounted page. */
export interface PageView<Answers extends unknown[]> {
	update?(...answers: Answers): void;
	close?(): void;
}

/** A module in assets/job/pages. */
export interface JobPage<Answer> {
	title(params: JobPageParams): string;
	jsonUrl(params: JobPageParams): string;
	/** Absent: the page follows the stream of its JSON; false: it loads its JSON once. */
	live?: false;
	mount(root: HTMLElement, context: JobPageContext): PageView<[Answer]>;
}

export interface KafkaPageParams {
	name: string;
}

/** What the frame offers to a page of the Kafka UI. */
export interface KafkaPageContext {
	params: KafkaPageParams;
	navigate(path: string): void;
	/** Names the JSON behind the page in its footer. */
	showJsonUrl(url: string): void;
	/** Shows a failed request; returns whether it is the end of the page. */
	reportFault(fault: unknown): boolean;
	/** Withdraws what `reportFault` showed. */
	clearFault(): void;
}

/** A module in assets/kafka/pages. */
export interface KafkaPage<Answers extends unknown[]> {
	title(params: KafkaPageParams): string;
	/** The JSON that `update` takes, one URL per argument. */
	jsonUrls(params: KafkaPageParams): string[];
	/** Milliseconds between two requests for it; 0 for one request. */
	refreshMs: number;
	mount(root: HTMLElement, context: KafkaPageContext): PageView<Answers>;
}
