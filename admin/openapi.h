/* openapi: the OpenAPI 3.0 document of the admin API, built from admin/admin_routes.def and admin/json_fields.def, so
 * that it cannot lag behind the code. Any thread. The caller owns the new reference. */
#ifndef ADMIN_OPENAPI_H
#define ADMIN_OPENAPI_H

#include <jansson.h>

json_t *openapi_document(const char *version);

#endif
