def draw_dot(*a): raise ImportError
