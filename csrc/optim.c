/* Optimizers' updates. Formulas are torch's; see pygrad/optim for their sources. */
#include "optim.h"

/* The gradient with weight decay in it. Without one an infinite parameter stays infinite: 0 times it is nan. */
static inline double decayed(double g, double p, double weight_decay)
{ return weight_decay == 0.0 ? g : g + weight_decay * p; }

void pgi_sgd(pg_arena *arena, size_t count, const pg_node *nodes, const pg_sgd_options *options, double *velocity,
             int first)
{
    const pg_sgd_options o = *options;
    for (size_t i = 0; i < count; i++) {
        double *p = &arena->data[nodes[i]], g = arena->grad[nodes[i]];
        g = decayed(o.maximize ? -g : g, *p, o.weight_decay);
        if (velocity) {
            velocity[i] = first ? g : o.momentum * velocity[i] + (1.0 - o.dampening) * g;
            g = o.nesterov ? g + o.momentum * velocity[i] : velocity[i];
        }
        *p -= o.lr * g;
    }
}

void pgi_adam(pg_arena *arena, size_t count, const pg_node *nodes, const pg_adam_options *options, double *mean,
              double *square, double *top, double step)
{
    const pg_adam_options o = *options;
    const double rate = o.lr / (1.0 - pow(o.beta1, step)), scale = sqrt(1.0 - pow(o.beta2, step));
    for (size_t i = 0; i < count; i++) {
        double *p = &arena->data[nodes[i]], g = arena->grad[nodes[i]], largest;
        if (o.maximize) g = -g;
        if (o.decoupled) *p *= 1.0 - o.lr * o.weight_decay;
        else g = decayed(g, *p, o.weight_decay);
        mean[i] += (1.0 - o.beta1) * (g - mean[i]);
        square[i] = o.beta2 * square[i] + (1.0 - o.beta2) * g * g;
        largest = square[i];
        if (top) largest = top[i] = pgm_max(top[i], largest);
        *p -= rate * mean[i] / (sqrt(largest) / scale + o.eps);
    }
}

void pgi_zero_grads(pg_arena *arena, size_t count, const pg_node *nodes)
{
    for (size_t i = 0; i < count; i++) arena->grad[nodes[i]] = 0.0;
}
