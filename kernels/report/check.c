/* check - `darkroom check`: is the folder a model that can be drawn with. */
#include "kernels/glm_report.h"
#include "weights/model.h"

int glm_report_check(const char *model, FILE *out)
{
    return model_check(model, out);
}
