// How figures are written. What is not known (null, undefined, NaN) is a dash.
"use strict";

const format = {
  isKnown(figure) {
    return typeof figure === "number" && Number.isFinite(figure);
  },

  /** 1234567.8 as "1,234,568", or with three digits where it is small. */
  number(figure) {
    if (!format.isKnown(figure)) return "–";
    const digits = Math.abs(figure) >= 100 || Number.isInteger(figure) ? 0 : Math.abs(figure) >= 10 ? 1 : 2;
    return figure.toLocaleString("en", { maximumFractionDigits: digits });
  },

  /** Short enough for an axis or a tile: 12,300,000 as "12.3 M". */
  short(figure) {
    if (!format.isKnown(figure)) return "–";
    for (const [unit, size] of [["G", 1e9], ["M", 1e6]]) {
      if (Math.abs(figure) >= size) return format.significant(figure / size) + " " + unit;
    }
    return format.number(figure);
  },

  /** Three digits. */
  significant(figure) {
    return Number(figure.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
  },

  /** A time in seconds, in the unit that suits it. */
  seconds(figure) {
    if (!format.isKnown(figure)) return "–";
    if (figure === 0) return "0";
    if (figure < 1e-3) return format.significant(figure * 1e6) + " µs";
    if (figure < 1) return format.significant(figure * 1e3) + " ms";
    return figure < 600 ? format.significant(figure) + " s" : format.span(figure);
  },

  /** A long time: "3 d 4 h", "12 min". */
  span(figure) {
    if (!format.isKnown(figure)) return "–";
    const [days, hours] = [Math.floor(figure / 86400), Math.floor(figure / 3600) % 24];
    const [minutes, seconds] = [Math.floor(figure / 60) % 60, Math.floor(figure) % 60];
    if (days > 0) return `${days} d ${hours} h`;
    if (hours > 0) return `${hours} h ${minutes} min`;
    return minutes > 0 ? `${minutes} min ${seconds} s` : `${seconds} s`;
  },

  bytes(figure) {
    if (!format.isKnown(figure)) return "–";
    for (const [unit, size] of [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
      if (figure >= size) return format.significant(figure / size) + " " + unit;
    }
    return format.number(figure) + " B";
  },

  /** A share from 0 to 1: "99.97 %". Never rounded up to the whole. */
  share(figure) {
    if (!format.isKnown(figure)) return "–";
    const percent = figure < 1 ? Math.min(figure * 100, 99.99) : 100;
    return percent.toLocaleString("en", { maximumFractionDigits: percent > 99 ? 2 : 1 }) + " %";
  },
};
