// Templates over a JSON document: the part of Go's text/template that people write behind `inspect --format`.
//
//     {{.Id}}  {{.Config.Cmd}}  {{json .Config.Env}}  {{index .RepoTags 0}}  {{len .RootFS.Layers}}  text, \n and \t
//     {{range $name, $network := .NetworkSettings.Networks}}{{$name}}={{$network.IPAddress}} {{end}}
//     {{if .State.Running}}up{{else}}down{{end}}  {{with .State.Health}}{{.Status}}{{end}}  {{(index .Mounts 0).Source}}
//     {{.Name | upper}}  {{printf "%s: %d" .Name .RestartCount}}  {{join .Config.Cmd " "}}  {{if eq .State.Status "running"}}...
//
// A list is shown as [a b], an object as map[k:v], as Go prints them, and is gone through by its sorted names. A name that the
// document does not have is an error that lists those it has at that place; behind if, with, and, or, not it is as good as null.
#ifndef COFFER_CLI_TEMPLATE_H
#define COFFER_CLI_TEMPLATE_H

#include "runtime/base/attr.h"

#include <jansson.h>

struct buf;
struct err;

// Adds the document by the template to buf, with a newline behind it.
int template_format(const char *template, const json_t *document, struct buf *buf, struct err *err) MUST_CHECK;

#endif
