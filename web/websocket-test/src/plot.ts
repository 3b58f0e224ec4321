// How long answers took: one dot for each, and their mean as a line.

const SVG = "http://www.w3.org/2000/svg";
/** What is drawn on, where the page cannot say how much room there is. */
const ROOM = { width: 600, height: 144 };
const LEFT = 44;
const FOOT = 6;

/** Where the plot ends above: a round number, so that it does not jump with every answer. */
export function ceiling(most: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  const step = [1, 2, 5, 10].find((factor) => most <= factor * power) ?? 10;
  return step * power;
}

/** The place of each latency. */
export function places(latencies: number[], top: number, room = ROOM): { x: number; y: number }[] {
  const step = (room.width - LEFT - FOOT) / Math.max(latencies.length - 1, 1);
  return latencies.map((latency, index) => ({ x: LEFT + index * step, y: height(latency, top, room) }));
}

const height = (latency: number, top: number, room = ROOM): number =>
  room.height - FOOT - (latency / top) * (room.height - 3 * FOOT);

function part(name: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  element.textContent = text;
  return element;
}

/** Draws it anew, as large as it is shown, so that its words stay readable on a phone. */
export function draw(place: SVGElement, latencies: number[], mean: number | undefined): void {
  const { clientWidth, clientHeight } = place;
  const room = clientWidth > 0 ? { width: clientWidth, height: clientHeight } : ROOM;
  place.setAttribute("viewBox", `0 0 ${room.width} ${room.height}`);
  const top = ceiling(Math.max(1, ...latencies));
  const across = (value: number, name: string) => {
    const y = height(value, top, room);
    return part("line", { x1: LEFT, x2: room.width, y1: y, y2: y, class: name });
  };
  const grid = [0, top / 2, top].flatMap((value) => [
    across(value, "grid-line"),
    part("text", { x: LEFT - 6, y: height(value, top, room) + 4, class: "grid-text" }, `${value} ms`),
  ]);
  const dots = places(latencies, top, room).map(({ x, y }) => part("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 2.5 }));
  place.replaceChildren(...grid, ...dots, ...(mean === undefined ? [] : [across(Math.min(mean, top), "mean")]));
}
