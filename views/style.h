/*
 * style.h - the colours and fonts of pictures, by name.
 *
 * A style file (share/styles/NAME.style) has lines `name value`, # begins a
 * comment.  A name that is missing keeps the value built in for the light
 * style, or for the dark one if the file says `base dark`.
 */
#ifndef VIEWS_STYLE_H
#define VIEWS_STYLE_H

#include "graph.h"

#define STYLE_VALUES(X) \
	X(sans, "sans-serif", "sans-serif") \
	X(mono, "monospace", "monospace") \
	X(paper, "#ffffff", "#16191d") \
	X(ink, "#1c2126", "#e6e9ec") \
	X(faint, "#66707a", "#98a2ac") \
	X(box, "#ffffff", "#1f2429") \
	X(frame, "#8a949e", "#57616b") \
	X(edge, "#5b6670", "#8b96a1") \
	X(head_ink, "#1c2126", "#f2f4f6") \
	X(other, "#e3e7eb", "#3a424a") \
	X(volume, "#dcd7ea", "#4a4166") \
	X(internal, "#cfe0f3", "#24476e") \
	X(leaf, "#d3ead3", "#27532f") \
	X(record, "#d8ecec", "#1f5254") \
	X(name, "#efe6cf", "#5a4a1c") \
	X(inode, "#f2ddcb", "#66401f") \
	X(data, "#e6e0d8", "#4d463b") \
	X(space, "#dde3ee", "#343f59") \
	X(undo, "#ecd9e6", "#5a2f50") \
	X(good, "#2f7d3b", "#6cc47a") \
	X(bad, "#b3261e", "#ff8278") \
	X(bad_fill, "#fbe3e1", "#4a1f1d") \
	X(warn, "#8a5a00", "#f0b84a") \
	X(warn_fill, "#fbefd5", "#453414") \
	X(dim, "#7d858d", "#7d8790") \
	X(here, "#1657a8", "#6fb1ff") \
	X(here_fill, "#dfebfa", "#1c3657") \
	X(added, "#1d7a32", "#62cc7a") \
	X(added_fill, "#dff3e2", "#183d22") \
	X(removed, "#b3261e", "#ff8278") \
	X(removed_fill, "#fbe3e1", "#4a1f1d") \
	X(changed, "#7a4fb5", "#c3a1f5") \
	X(changed_fill, "#ece3f8", "#372a4d") \
	X(moved, "#1a6f86", "#6fcbe3") \
	X(moved_fill, "#daeff4", "#17404c") \
	X(zone_none, "#f1f3f5", "#22272c") \
	X(zone_free, "#e3e7eb", "#30363d") \
	X(zone_undo, "#d9a7cb", "#8a4d7c") \
	X(zone_freemap, "#b7a9dc", "#6a5a9c") \
	X(zone_btree, "#8db8e6", "#2f6cab") \
	X(zone_meta, "#e9b383", "#a4632c") \
	X(zone_large, "#9fd09f", "#3b7f48") \
	X(zone_small, "#86cfd0", "#2b8183") \
	X(zone_unavail, "#9aa3ac", "#4b545d") \
	X(zone_bad, "#e0665d", "#d9534a")

struct style {
#define X(name, light, dark) char name[64];
	STYLE_VALUES(X)
#undef X
	bool dark;
};

#endif
